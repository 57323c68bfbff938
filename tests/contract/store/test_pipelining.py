"""Statements that PostgreSQL is sent without waiting for their answers."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import DBAPIError, IntegrityError

from reconciler.store import sessions, tables
from reconciler.store.database import Store
from reconciler.store.statement import Statement, insertion
from tests.postgresql import PostgresqlServer

ADD = Statement(insert(tables.destination), insertion(tables.destination))
NAMES = Statement(select(tables.destination.c.name))


@pytest.fixture
def url(postgresql: PostgresqlServer) -> str:
    return postgresql.database()


@pytest.fixture
def store(url: str, tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path, url)
    yield store
    store.close()


def add(store: Store, name: str) -> None:
    with store.write() as tx:
        ADD.send(tx, {"name": name, "failures": 0, "open_until": None, "next_at": None})


def names(store: Store) -> list[str]:
    with store.read() as connection:
        return [name for (name,) in NAMES.all(connection)]


def test_a_transaction_in_which_an_error_was_overlooked_is_not_taken_for_committed(store: Store) -> None:
    add(store, "a")
    row = {"name": "a", "failures": 0, "open_until": None, "next_at": None}
    with pytest.raises(DBAPIError, match="rolled back"), store.write() as tx:  # noqa: PT012 - it is the end that raises
        ADD.send(tx, row | {"name": "b"})
        with pytest.raises(IntegrityError):
            ADD.run(tx, row)
    assert names(store) == ["a"]


def test_a_statement_fails_that_was_sent_behind_one_that_failed(store: Store) -> None:
    add(store, "a")
    row = {"name": "a", "failures": 0, "open_until": None, "next_at": None}
    with pytest.raises(DBAPIError), store.write() as tx:  # noqa: PT012 - it is the end that raises
        ADD.send(tx, row)
        found = NAMES.later(tx)
        with pytest.raises(IntegrityError):
            found.first()
        with pytest.raises(DBAPIError, match="was not executed"):
            found.first()


def test_statements_first_sent_behind_one_that_failed_are_prepared_again(store: Store) -> None:
    add(store, "a")
    for _ in range(2):
        with pytest.raises(IntegrityError), store.write() as tx:  # noqa: PT012 - it is the end that raises
            ADD.send(tx, {"name": "a", "failures": 0, "open_until": None, "next_at": None})
            NAMES.later(tx)
    assert names(store) == ["a"]


def test_a_reader_leaves_no_transaction_open(store: Store, url: str) -> None:
    assert names(store) == []
    assert names(store) == []  # by the same connection, which answers what ended before
    with psycopg.connect(url) as other:
        idle = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'"
        assert other.execute(idle).fetchone() == (0,)


def test_readers_see_one_moment_and_change_nothing(store: Store) -> None:
    with store.read() as connection:
        assert NAMES.all(connection) == []
        add(store, "a")
        assert NAMES.all(connection) == []
    with pytest.raises(DBAPIError, match="read-only"), store.read() as connection:
        ADD.run(connection, {"name": "b", "failures": 0, "open_until": None, "next_at": None})
    assert names(store) == ["a"]


def test_connections_that_died_are_replaced(store: Store, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    add(store, "a")
    with psycopg.connect(url, autocommit=True) as other:
        others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        other.execute(f"SELECT pg_terminate_backend(pid, 5000) {others}")
    monkeypatch.setattr(sessions, "TRUSTED", 0.0)
    assert names(store) == ["a"]
    add(store, "b")
    assert names(store) == ["a", "b"]


def test_a_transaction_that_loses_its_connection_fails_and_the_next_does_not(store: Store, url: str) -> None:
    with pytest.raises(DBAPIError), store.write() as tx:  # noqa: PT012 - it is the end that raises
        ADD.send(tx, {"name": "a", "failures": 0, "open_until": None, "next_at": None})
        (pid,) = tx.exec_driver_sql("SELECT pg_backend_pid()").one()
        with psycopg.connect(url, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
    add(store, "b")
    assert names(store) == ["b"]


def test_what_is_prepared_outlives_a_transaction_that_was_rolled_back(store: Store) -> None:
    add(store, "a")
    for _ in range(20):  # until the driver itself would have prepared it
        with store.write() as tx:
            tx.execute(select(tables.destination.c.name))
    with pytest.raises(ZeroDivisionError), store.write() as tx:  # noqa: PT012 - the transaction is what is rolled back
        tx.execute(select(tables.destination.c.name))
        raise ZeroDivisionError
    add(store, "b")
    assert names(store) == ["a", "b"]


def test_a_text_that_the_server_cannot_have_is_refused_and_not_cut_off(store: Store) -> None:
    with pytest.raises(DBAPIError, match="NUL"):
        add(store, "a\0b")
    add(store, "c")
    assert names(store) == ["c"]
