"""Inserting what may be there already, in the words of either database."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import BindParameter, ClauseElement, Connection, Executable, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import ReturningInsert


def insert_if_absent(tx: Connection, table: Table, row: Mapping[str, Any]) -> bool:
    """Insert a row unless one with the same key exists; say whether it was inserted."""
    # Values beside a statement that stays the same: building one anew costs more than the database takes for it.
    plain = {name: value.value if isinstance(value, BindParameter) else value for name, value in row.items()}
    computed = {name: value for name, value in plain.items() if isinstance(value, ClauseElement)}
    given = {name: value for name, value in plain.items() if name not in computed}
    statement = _insert_if_absent(tx.dialect.name, table)
    return tx.execute(statement.values(**computed) if computed else statement, given).first() is not None


def insert_or_replace(tx: Connection, table: Table, row: Mapping[str, Any], key: tuple[str, ...]) -> None:
    """Insert a row, or give all these values to the one that has the same key."""
    tx.execute(_insert_or_replace(tx.dialect.name, table, tuple(row), key), row)


@cache
def _insert_if_absent(dialect: str, table: Table) -> ReturningInsert[Any]:
    # Counting rows would not do: PostgreSQL's driver does not count where the database makes the key.
    return _insert(dialect, table).on_conflict_do_nothing().returning(*table.primary_key)


@cache
def _insert_or_replace(dialect: str, table: Table, columns: tuple[str, ...], key: tuple[str, ...]) -> Executable:
    statement = _insert(dialect, table)
    return statement.on_conflict_do_update(
        index_elements=[table.c[name] for name in key], set_={name: statement.excluded[name] for name in columns}
    )


def _insert(dialect: str, table: Table) -> postgresql.Insert | sqlite.Insert:
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
