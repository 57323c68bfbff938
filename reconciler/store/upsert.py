"""Inserting what may be there already, in the words of either database."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

from reconciler.store.statement import Statement

Insert = postgresql.Insert | sqlite.Insert


def insert_into(dialect: str, table: Table) -> Insert:
    """Return an INSERT that has the words of both databases for what is there already."""
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


def row_of(noun: object) -> dict[str, Any]:
    """Return the fields of a dataclass with slots as columns; unlike asdict, without a copy of every value."""
    return {name: getattr(noun, name) for name in noun.__slots__}  # type: ignore[attr-defined]


def insert_if_absent(tx: Connection, table: Table, row: Mapping[str, Any]) -> bool:
    """Insert a row unless one with the same key exists; say whether it was inserted."""
    return _insert_if_absent(table, tuple(row)).run(tx, row) == 1


def insert_or_replace(tx: Connection, table: Table, row: Mapping[str, Any], key: tuple[str, ...]) -> None:
    """Insert a row, or give all these values to the one that has the same key."""
    _insert_or_replace(table, tuple(row), key).send(tx, row)


@cache
def _insert_if_absent(table: Table, columns: tuple[str, ...]) -> Statement:
    return Statement(lambda dialect: insert_into(dialect, table).on_conflict_do_nothing(), columns)


@cache
def _insert_or_replace(table: Table, columns: tuple[str, ...], key: tuple[str, ...]) -> Statement:
    def build(dialect: str) -> Insert:
        statement = insert_into(dialect, table)
        return statement.on_conflict_do_update(
            index_elements=[table.c[name] for name in key], set_={name: statement.excluded[name] for name in columns}
        )

    return Statement(build, columns)
