"""The tables of what people are told: mail that is to be sent, what waits to be told, and what operators know."""

from sqlalchemy import JSON, Column, Integer, Table, Text, Uuid

from reconciler.store.moment import Moment
from reconciler.store.tables import metadata

mail = Table(
    "mail",
    metadata,
    Column("message_id", Text, primary_key=True),
    Column("recipient", Text, nullable=False),
    # What is written, by the name of its template, and what about.
    Column("template", Text, nullable=False),
    Column("data", JSON, nullable=False),
    Column("state", Text, nullable=False),
    Column("changed_at", Moment, nullable=False),
)

# What a mailbox's notification address was told last, and how many failures wait to be told: a job exists while any do.
digest = Table(
    "digest",
    metadata,
    Column("mailbox", Uuid, primary_key=True),
    Column("waiting", Integer, nullable=False),
    Column("sent_at", Moment),
)

untold = Table(
    "untold",
    metadata,
    Column("conversion", Uuid, primary_key=True),
    Column("mailbox", Uuid, nullable=False, index=True),
)

# What operators were told of and is not over yet; `mark` is another one when there is more to tell.
alert = Table(
    "alert",
    metadata,
    Column("concern", Text, primary_key=True),
    Column("mark", Text, nullable=False),
    Column("told_at", Moment, nullable=False),
)
