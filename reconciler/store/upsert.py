"""Inserting what may be there already, in the words of either database."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def insert_if_absent(tx: Connection, table: Table, row: Mapping[str, Any]) -> bool:
    """Insert a row unless one with the same key exists; say whether it was inserted."""
    kind = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    statement = kind(table).values(**row).on_conflict_do_nothing()
    # Counting rows would not do: PostgreSQL's driver does not count where the database makes the key.
    return tx.execute(statement.returning(*table.primary_key)).first() is not None
