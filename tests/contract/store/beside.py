"""Work beside a transaction: it goes as far as it can before that commits, and then goes on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from time import monotonic, sleep

from sqlalchemy import Connection, select, text

from reconciler.store.database import Store

PATIENCE = 60.0


class Beside:
    """Work in a thread of its own, with the error that ended it."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self.error: Exception | None = None
        self.thread = Thread(target=self._run)

    def _run(self) -> None:
        try:
            self._work()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            self.error = error


@contextmanager
def beside(
    store: Store, work: Callable[[], object], then: Callable[[Connection], object] = lambda _: None
) -> Iterator[tuple[Connection, Beside]]:
    """Yield a transaction; work that begins before it commits has gone as far as it can, and then goes on.

    `then` is what the transaction still does meanwhile.
    """
    other = Beside(work)
    with store.write() as tx:
        yield tx, other
        tx.execute(select(1))  # what was only sent until now is done
        other.thread.start()
        deadline = monotonic() + PATIENCE
        # SQLite has one writer at a time, and whoever comes second has read nothing.
        while tx.dialect.name == "postgresql" and other.thread.is_alive() and not waits(store):
            assert monotonic() < deadline
            sleep(0.005)
        then(tx)
    other.thread.join(PATIENCE)
    assert not other.thread.is_alive()


def waits(store: Store) -> bool:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    with store.engine.connect() as connection:
        return bool(connection.execute(text(waiting)).scalar())
