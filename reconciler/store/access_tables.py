"""The tables of who may use the admin API and the pages, and of what they did there."""

from sqlalchemy import BigInteger, Column, Integer, String, Table, Text

from reconciler.store.moment import Moment
from reconciler.store.tables import metadata

token = Table(
    "token",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("role", String(10), nullable=False),
    # The only account that it may touch; empty for all.
    Column("account", String(100), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("expires_at", Moment),
    Column("used_at", Moment),
    Column("revoked_at", Moment),
)

session = Table(
    "session",
    metadata,
    Column("digest", String(64), primary_key=True),
    # The token that opened it, and with which it ends; empty for a person who came by OpenID Connect.
    Column("token", String(100), nullable=False),
    Column("actor", Text, nullable=False),
    Column("role", String(10), nullable=False),
    Column("account", String(100), nullable=False),
    Column("expires_at", Moment, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    # SQLite gives an automatic number to INTEGER keys only.
    Column("number", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True),
    Column("at", Moment, nullable=False, index=True),
    Column("actor", Text, nullable=False),
    Column("peer", String(100), nullable=False),
    Column("what", Text, nullable=False),
    Column("status", Integer, nullable=False),
)
