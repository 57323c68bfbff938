"""What one large message costs in memory: python -m benchmarks.as2.memory large BYTES endpoint|library, or bomb.

The process receives only; the message comes from another one, over a socket. What is printed is by how many millions
of bytes its memory grew at the most, by the system's own count, files that are mapped included.
"""

import http.client
import re
import sys
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

from benchmarks.as2.companies import Company, Forgetful
from reconciler.model.source_file import digest
from reconciler.protocols.as2.building import build_message
from reconciler.protocols.as2.endpoint import As2Endpoint
from reconciler.protocols.as2.library import Message
from reconciler.protocols.as2.ports import Answer, Incoming, Outcome, Post, Received
from reconciler.protocols.as2.relation import Relation
from reconciler.store.database import Store
from reconciler.web.listener import HttpListener


class Sealing(Forgetful):
    """An intake that makes payloads durable, as the gateway's own does."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.store = store

    def receive(self, received: Received) -> Answer:
        sealed = self.store.blobs.seal(received.payload)
        with self.store.write() as tx:
            self.store.blobs.put(tx, sealed)
        return super().receive(received)

    def note(self, incoming: Incoming) -> None:
        assert incoming.outcome is Outcome.REFUSED


def post(acme: Company, globex: Company, size: int, port: int, *, compressed: bool) -> None:
    """Be GLOBEX, in a process of its own."""
    files = {digest(acme.certificate): acme.certificate}
    content = bytes(size) if compressed else b"".join(number.to_bytes(8, "big") for number in range(size // 8))
    relation = Relation(globex.partner(acme, compression=compressed), files.__getitem__)
    message = build_message(
        relation, Post(message_id="7@globex", payload=content, file_name="a.bin"), now=datetime.now(UTC)
    )
    del content
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("POST", "/as2", body=bytes(message.body), headers=dict(message.headers.items()))
    said = connection.getresponse().read()
    assert (b"decompression-failed" if compressed else b"; processed\r\n") in said, said[:2000]


def peak() -> float:
    """Return the most memory that this process has had, in millions of bytes."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) * 1024 / 1e6


def measure(acme: Company, globex: Company, size: int, port: int, *, compressed: bool) -> None:
    before = peak()
    sender = get_context("fork").Process(
        target=post, args=(acme, globex, size, port), kwargs={"compressed": compressed}
    )
    sender.start()
    sender.join()
    assert sender.exitcode == 0
    print(round(peak() - before, 1))


def by_endpoint(acme: Company, globex: Company, size: int, *, compressed: bool = False) -> None:
    files = {digest(globex.certificate): globex.certificate}
    with TemporaryDirectory(dir=Path.cwd()) as folder:
        store = Store(Path(folder))
        endpoint = As2Endpoint(Sealing(store), files.__getitem__, spool=str(store.blobs.spool_folder))
        endpoint.configure([acme.partner(globex)])
        listener = HttpListener(endpoint.app, host="127.0.0.1", port=0)
        listener.start()
        measure(acme, globex, size, listener.address[1], compressed=compressed)
        listener.stop(1)
        store.close()


def by_library(acme: Company, globex: Company, size: int) -> None:
    ours, theirs = acme.in_library(), globex.for_library()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            head = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items()).encode()
            message = Message()
            raw = head + b"\r\n" + self.rfile.read(int(self.headers["Content-Length"]))
            _, _, mdn = message.parse(raw, find_org_cb=lambda _: ours, find_partner_cb=lambda _: theirs)
            self.send_response(200)
            self.end_headers()
            # pyas2lib breaks the disposition at another place; its words are what matters.
            self.wfile.write(b"; processed\r\n" if mdn else b"")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
            """Log nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    measure(acme, globex, size, server.server_address[1], compressed=False)


def main() -> None:
    acme, globex = Company("ACME"), Company("GLOBEX")
    match sys.argv[1:]:
        case ["large", size, "endpoint"]:
            by_endpoint(acme, globex, int(size))
        case ["large", size, "library"]:
            by_library(acme, globex, int(size))
        case ["bomb"]:
            by_endpoint(acme, globex, 300_000_000, compressed=True)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
