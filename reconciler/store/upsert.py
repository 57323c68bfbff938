"""Inserting what may be there already, in the words of either database."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import Connection, Executable, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import ReturningInsert

Insert = postgresql.Insert | sqlite.Insert


def insert_into(dialect: str, table: Table) -> Insert:
    """Return an INSERT that has the words of both databases for what is there already."""
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


def row_of(noun: object) -> dict[str, Any]:
    """Return the fields of a dataclass with slots as columns; unlike asdict, without a copy of every value."""
    return {name: getattr(noun, name) for name in noun.__slots__}  # type: ignore[attr-defined]


def insert_if_absent(tx: Connection, table: Table, row: Mapping[str, Any]) -> bool:
    """Insert a row unless one with the same key exists; say whether it was inserted."""
    return tx.execute(_insert_if_absent(tx.dialect.name, table), row).first() is not None


def insert_or_replace(tx: Connection, table: Table, row: Mapping[str, Any], key: tuple[str, ...]) -> None:
    """Insert a row, or give all these values to the one that has the same key."""
    tx.execute(_insert_or_replace(tx.dialect.name, table, tuple(row), key), row)


@cache
def _insert_if_absent(dialect: str, table: Table) -> ReturningInsert[Any]:
    # Counting rows would not do: PostgreSQL's driver does not count where the database makes the key.
    return insert_into(dialect, table).on_conflict_do_nothing().returning(*table.primary_key)


@cache
def _insert_or_replace(dialect: str, table: Table, columns: tuple[str, ...], key: tuple[str, ...]) -> Executable:
    statement = insert_into(dialect, table)
    return statement.on_conflict_do_update(
        index_elements=[table.c[name] for name in key], set_={name: statement.excluded[name] for name in columns}
    )
