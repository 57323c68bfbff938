"""Inserting what may be there already, in the words of either database."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def insert_if_absent(tx: Connection, table: Table, row: Mapping[str, Any]) -> bool:
    """Insert a row unless one with the same key exists; say whether it was inserted."""
    if tx.dialect.name == "postgresql":
        result = tx.execute(postgresql.insert(table).values(**row).on_conflict_do_nothing())
    else:
        result = tx.execute(sqlite.insert(table).values(**row).on_conflict_do_nothing())
    return result.rowcount == 1
