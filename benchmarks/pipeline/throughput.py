"""Envelopes a second, beside what the store and the conversions alone can do in the same seconds."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from statistics import median

from benchmarks.pipeline.world import World, order
from reconciler.conversion.converter import Converted, Converter, InConversion, Lookups, OutConversion
from reconciler.jobs.directory import Directory
from reconciler.jobs.folders import StoreFolders
from reconciler.jobs.partner_file import PartnerFileMaker
from reconciler.jobs.sending import Sending
from reconciler.model.rule import Direction
from reconciler.protocols.sftp.folders import BOUNDLESS
from reconciler.service.gateway import CONVERSION_THREADS, CONVERSION_WORKERS, Gateway
from reconciler.store import envelopes, receipts
from reconciler.store.database import Store

SECONDS = 2.0
UPLOADERS = 4

_numbers = count(1)


def numbers(how_many: int) -> Iterator[int]:
    """Return so many numbers that no order has had yet."""
    return iter([next(_numbers) for _ in range(how_many)])


class NoLookups:
    """The maps of this benchmark ask nothing."""

    def dictionary_value(self, dictionary: str, column_of_value: str, value: str, column_to_find: str) -> None: ...
    def dictionary_record(self, dictionary: str, column: str, value: str) -> None: ...
    def mailbox_by_alias(self, alias: str) -> None: ...
    def envelope_by_field(self, template: str, field: str, value: str) -> None: ...


@dataclass(frozen=True)
class Measured:
    """Medians of the rounds, a second: envelopes through the whole path, bare commits, bare pairs of conversions."""

    envelopes: float
    commits: float
    conversions: float
    ratio: float


def rate(do: Callable[[], object], threads: int, seconds: float = SECONDS) -> float:
    """Return how often a second so many threads do it."""
    counts = [0] * threads
    end = time.perf_counter() + seconds

    def loop(index: int) -> None:
        while time.perf_counter() < end:
            do()
            counts[index] += 1

    together([lambda index=index: loop(index) for index in range(threads)])
    return sum(counts) / seconds


def together(work: list[Callable[[], object]]) -> None:
    threads = [threading.Thread(target=each) for each in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def bare_commit(store: Store) -> Callable[[], None]:
    """Return what commits one row in a transaction of its own."""
    with store.write() as tx:
        tx.exec_driver_sql("CREATE TABLE IF NOT EXISTS bare (number INTEGER)")

    def commit() -> None:
        with store.write() as tx:
            tx.exec_driver_sql("INSERT INTO bare VALUES (1)")

    return commit


class AskedConverter(Converter):
    """A converter that knows what it was asked for last."""

    out: OutConversion
    back: InConversion

    def convert_out(self, request: OutConversion, lookups: Lookups) -> Converted:
        self.out = request
        return super().convert_out(request, lookups)

    def convert_in(self, request: InConversion, lookups: Lookups) -> Converted:
        self.back = request
        return super().convert_in(request, lookups)


def bare_conversions(store: Store, converter: AskedConverter) -> Callable[[], None]:
    """Return what does the conversions of the newest envelope again, as its way asked for them, and nothing else."""
    directory = Directory(store)
    snapshot = directory.current()
    with store.read() as connection:
        (row,) = envelopes.newest(connection, limit=1)
        (arrival,) = envelopes.arrivals(connection, row.uuid)
        receipt = receipts.since(connection, row.created_at - timedelta(minutes=1))[-1]
        payload, content = (store.blobs.read(connection, name) for name in (receipt.sha256, row.sha256))
    rules = {rule.direction: rule for _, rule in snapshot.exchange(arrival.mailbox).rules}
    outcome = Sending(store, directory, converter).outcome(receipt, snapshot, lambda: payload)
    assert outcome.envelopes, outcome.error
    PartnerFileMaker(store, converter).make(row, content, arrival.mailbox, snapshot, rules[Direction.IN])
    out, back, nothing = converter.out, converter.back, NoLookups()

    def convert() -> None:
        converter.convert_out(out, nothing)
        converter.convert_in(back, nothing)

    return convert


def upload(folders: StoreFolders, world: World, orders: Iterator[int]) -> None:
    """Upload orders as an SFTP session does: open, write, close, which commits."""
    for number in orders:
        sender, recipient = next(world.pairs)
        file = folders.upload(sender, "coutbox", f"{number}.xml", exclusive=False, keep=False, room=BOUNDLESS)
        file.write(0, order(number, recipient))
        file.commit()


def delivered(store: Store) -> int:
    with store.read() as connection:
        # Seen to be done as cheaply as can be: what looks must not take the time that it measures.
        found: int = connection.exec_driver_sql("SELECT count(*) FROM arrival WHERE state = 'delivered'").scalar_one()
    return found


def through(world: World, folders: StoreFolders, number: int) -> float:
    """Return how many envelopes a second go from the close of their uploads to the other mailbox's cinbox/."""
    store = world.workspace.store
    before = delivered(store)
    orders = iter([next(_numbers) for _ in range(number)])
    lock = threading.Lock()

    def shared() -> Iterator[int]:
        while True:
            with lock:
                found = next(orders, None)
            if found is None:
                return
            yield found

    began = time.perf_counter()
    together([lambda: upload(folders, world, shared()) for _ in range(UPLOADERS)])
    while delivered(store) < before + number:
        time.sleep(0.05)
    return number / (time.perf_counter() - began)


def measure(world: World, *, number: int, rounds: int) -> Measured:
    """Measure the whole path and its limits in turn, so that whatever else runs on the machine meets all of them."""
    gateway = Gateway(world.workspace)
    gateway.start()
    folders, content = gateway.folders, Directory(world.workspace.store).content
    found: list[tuple[float, float, float]] = []
    try:
        with AskedConverter(content, workers=CONVERSION_WORKERS) as converter:
            through(world, folders, 50)
            convert, commit = bare_conversions(world.workspace.store, converter), bare_commit(world.workspace.store)
            rate(convert, CONVERSION_THREADS, 1.0)
            for _ in range(rounds):
                conversions = rate(convert, CONVERSION_THREADS)
                envelopes = through(world, folders, number)
                commits = rate(commit, 1)
                found.append((envelopes, commits, conversions))
    finally:
        gateway.stop(5)
    return Measured(
        envelopes=median(one[0] for one in found),
        commits=median(one[1] for one in found),
        conversions=median(one[2] for one in found),
        ratio=median(one[0] / min(one[1:]) for one in found),
    )
