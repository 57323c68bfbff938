"""Compare: python -m benchmarks.as2 [--rounds N] [--only ROW,ROW].

Processor time of one message, signed and encrypted, and of its signed MDN, by the gateway's own code and by plain
pyas2lib in turn; then what one large message costs in memory, each in a process of its own. More than 1 is better.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from random import Random
from statistics import median
from threading import Thread

from benchmarks.as2.companies import Company, Forgetful
from reconciler.model.source_file import digest
from reconciler.protocols.as2.building import build_message, expectation
from reconciler.protocols.as2.library import Message
from reconciler.protocols.as2.ports import Post
from reconciler.protocols.as2.reception import Reception
from reconciler.protocols.as2.relation import Relation

LARGE = 100_000_000


def payload(size: int) -> bytes:
    """Return something like EDIFACT, which is neither noise nor all the same."""
    random = Random(size)
    lines = bytearray()
    while len(lines) < size:
        article, quantity = random.randrange(10**13), random.random()
        lines += f"LIN+{random.randrange(10**6)}++{article:013}:SRV'\r\nQTY+21:{quantity:.4f}'\r\n".encode()
    return bytes(lines[:size])


class Work:
    """GLOBEX builds, ACME receives; each method does it once, and returns nothing."""

    def __init__(self, size: int) -> None:
        acme, globex = Company("ACME"), Company("GLOBEX")
        files = {digest(each.certificate): each.certificate for each in (acme, globex)}
        self.relation = Relation(globex.partner(acme), files.__getitem__)
        self.post = Post(message_id="7@globex", payload=payload(size), file_name="ORDERS.edi")
        self.reception = Reception(Forgetful(), files.__getitem__, limit=10**9)
        self.reception.configure([acme.partner(globex)])
        self.acme, self.globex = acme.in_library(), globex.in_library()
        self.as_acme, self.as_globex = acme.for_library(), globex.for_library()
        message = build_message(self.relation, self.post, now=datetime.now(UTC))
        self.headers, self.body, self.raw = list(message.headers.items()), bytes(message.body), bytes(message.raw)

    def receive(self) -> None:
        answer = self.reception.take(None, self.headers, self.body)
        assert b"; processed\r\n" in answer.body

    def library_receives(self) -> None:
        message = Message()
        status, _, mdn = message.parse(
            self.raw, find_org_cb=lambda _: self.acme, find_partner_cb=lambda _: self.as_globex
        )
        assert (status, bool(mdn and mdn.content)) == ("processed", True)

    def build(self) -> None:
        expectation(self.relation, self.post)
        build_message(self.relation, self.post, now=datetime.now(UTC))

    def library_builds(self) -> None:
        message = Message(self.globex, self.as_acme)
        message.build(self.post.payload, filename="ORDERS.edi", content_type="application/octet-stream")
        assert message.content


def processor_seconds(act: Callable[[], None], times: int) -> float:
    began = time.process_time()
    for _ in range(times):
        act()
    return (time.process_time() - began) / times


def compare(title: str, ours: Callable[[], None], library: Callable[[], None], times: int, rounds: int) -> None:
    own, other = [], []
    ours(), library()
    for _ in range(rounds):
        own.append(processor_seconds(ours, times))
        other.append(processor_seconds(library, times))
    ratio = median(two / one for one, two in zip(own, other, strict=True))
    row(title, f"{median(other) * 1000:.2f} ms", f"{median(own) * 1000:.2f} ms", f"{ratio:.1f}", "4")


def row(*cells: str) -> None:
    title, *others = cells
    print(f"{title:44}" + "".join(f"{cell:>14}" for cell in others), flush=True)


def megabytes(*what: str) -> float:
    """Return by how much the memory of a process grows at the most while it receives, in millions of bytes."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.as2.memory", *what], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def longest_wait() -> float:
    """Return for how many seconds at the most another thread is held up while 100 MB are received in one."""
    work = Work(LARGE)
    receiving = Thread(target=work.receive)
    receiving.start()
    waits = [0.0]
    while receiving.is_alive():
        began = time.perf_counter()
        time.sleep(0.001)
        waits.append(time.perf_counter() - began)
    return max(waits)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", default="10k,1m,100m,wait,bomb")
    chosen = parser.parse_args()
    rows = chosen.only.split(",")
    print(f"Python {sys.version.split()[0]} in {Path(sys.prefix).name}; {chosen.rounds} rounds, medians")
    row("", "pyas2lib", "reconciler", "ratio", "target")
    for name, title, size, times in (("10k", "10 kB", 10_000, 20), ("1m", "1 MB", 1_000_000, 3)):
        if name in rows:
            work = Work(size)
            compare(f"{title}: receive, answer a signed MDN", work.receive, work.library_receives, times, chosen.rounds)
            compare(f"{title}: build", work.build, work.library_builds, times, chosen.rounds)
    if "100m" in rows:
        find = partial(megabytes, "large", str(LARGE))
        own, other = find("endpoint"), find("library")
        row(
            "100 MB from a socket: memory at its most",
            f"{other:.0f} MB",
            f"{own:.0f} MB",
            f"{other / own:.1f}",
            "≤ 300 MB",
        )
    if "wait" in rows:
        waits = [longest_wait() for _ in range(3)]
        row("100 MB: what others wait at the most", "", f"{median(waits) * 1000:.0f} ms", "", "")
    if "bomb" in rows:
        row("292 kB that inflate to 300 MB: memory", "(3,200 MB)", f"{megabytes('bomb'):.0f} MB", "", "bounded")


if __name__ == "__main__":
    main()
