"""Processes that die at a chosen point, without the seconds that a gateway takes to start.

python -m tests.acceptance.faults.dying uploads|commits FOLDER COUNT

This process imports everything once and has a child for each death; it opens no store and starts no thread itself.
"""

import os
import random
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from uuid import UUID

from sqlalchemy import Connection

from reconciler.conversion.converter import Converted, Converter, InConversion, OutConversion
from reconciler.conversion.ready_envelope import made_ready
from reconciler.envelope import xml
from reconciler.jobs.acceptance import accept
from reconciler.jobs.bell import Bell
from reconciler.jobs.directory import Directory
from reconciler.jobs.folders import StoreFolders
from reconciler.jobs.lane import Lane
from reconciler.jobs.queues import Limits
from reconciler.jobs.receiving import Receiving
from reconciler.jobs.sending import Sending
from reconciler.jobs.worker import Workers
from reconciler.model.key import Key
from reconciler.protocols.sftp.folders import BOUNDLESS
from reconciler.service.workspace import Workspace
from reconciler.store import configuration, jobs
from reconciler.store.database import Store
from reconciler.store.job_states import PENDING
from reconciler.store.receipts import Receipt

ACME = "accounts.acme.mailboxes.orders"
SIZE = 300_000
PATIENCE = 60.0


class Canned(Converter):
    """Conversions that were made once, for order 4711, and are told again for every other number."""

    def __init__(self, out: bytes, back: bytes) -> None:
        self._out, self._back = out, back

    def convert_out(self, request: OutConversion, _: object) -> Converted:
        made = renumbered(self._out, re.findall(r"\d+", request.file_name)[0])
        assert request.sent is not None
        return Converted(results=(made,), ready=(made_ready(made, definition=lambda _: None, sent=request.sent),))

    def convert_in(self, request: InConversion, _: object) -> Converted:
        number = re.search(rb'<field name="number">(\d+)<', request.envelope)
        assert number is not None
        fields = xml.parse(request.envelope).field_texts(request.fields)
        return Converted(results=(renumbered(self._back, number[1].decode()),), fields=fields)


def renumbered(content: bytes, number: str) -> bytes:
    return content.replace(b"4711", number.encode())


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def in_child(work: Callable[[], None]) -> bool:
    """Do it in a child; say whether that died. A failure of another kind ends this process too."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - told, and the child is over
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


def upload(workspace: Workspace, offset: int, block: int) -> None:
    """Die when so many bytes of an upload are written."""
    store = workspace.store
    folders = StoreFolders(store, lambda: None)
    file = folders.upload(acme(store), "coutbox", "ORDERS_1.edi", exclusive=False, keep=False, room=BOUNDLESS)
    for start in range(0, offset, block):
        file.write(start, b"x" * min(block, offset - start))
    die()


def work_off(workspace: Workspace, canned: Canned, deadly: int | None, *, before: bool) -> None:
    """Work until nothing is pending; die before or after the commit of that number."""
    store = workspace.store
    commits = iter(range(1, sys.maxsize))
    write = store.write

    @contextmanager
    def deadly_write() -> Iterator[Connection]:
        with write() as tx:
            yield tx
            number = next(commits)
            if number == deadly and before:
                die()
        if number == deadly:
            die()

    store.write = deadly_write  # type: ignore[method-assign]
    directory = Directory(store)
    workers = Workers(
        store,
        {"receipt": Sending(store, directory, canned), "arrival": Receiving(store, directory, canned)},
        [Lane(("arrival", "receipt"), 2)],
        bell=Bell(),
        limit_of=Limits(directory),
        node="here",
    )
    workers.start()
    deadline = monotonic() + PATIENCE
    while pending(store):
        assert monotonic() < deadline, "the work does not end"
        sleep(0.005)


def pending(store: Store) -> int:
    with store.read() as connection:
        return sum(number for (_, state), number in jobs.counts(connection).items() if state in PENDING)


def finish_and_add(workspace: Workspace, canned: Canned, sample: bytes, number: int) -> None:
    """Work off what the one that died left, and add an order for the next."""
    work_off(workspace, canned, None, before=False)
    store = workspace.store
    sealed = store.blobs.seal(renumbered(sample, str(number)))
    name = f"ORDERS_{number}.edi"
    receipt = Receipt(
        mailbox=acme(store), channel="sftp", native=False, name=name, sha256=sealed.sha256, size=sealed.size
    )
    with store.write() as tx:
        store.blobs.put(tx, sealed)
        accept(tx, receipt)


def acme(store: Store) -> UUID:
    with store.read() as connection:
        return configuration.mailbox_uuids(connection)[Key.parse(ACME)]


def main() -> None:
    kind, folder, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    workspace = Workspace.open(folder)
    chance = random.Random(count)
    deaths = 0
    if kind == "uploads":
        for _ in range(count):
            deaths += in_child(partial(upload, workspace, chance.randrange(SIZE), chance.choice((100, 4096, 32768))))
        sys.stdout.write(f"{deaths}\n")
        return
    sample = (folder / "samples" / "ORDERS_4711.edi").read_bytes()
    canned = Canned((folder / "out.xml").read_bytes(), (folder / "in.xml").read_bytes())
    number = 5000
    while deaths < count:
        assert not in_child(partial(finish_and_add, workspace, canned, sample, number))
        number += 1
        before = chance.random() < 0.5
        deaths += in_child(partial(work_off, workspace, canned, chance.randrange(1, 5), before=before))
    sys.stdout.write(f"{number - 5000} {deaths}\n")


if __name__ == "__main__":
    main()
