"""The tables. Every row is a noun of the domain; what is still to be done with it is a row of `job`."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from reconciler.store.moment import Moment

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# Text has no length here: SQLite would ignore it, and PostgreSQL refuse in the midst of work what nobody thought of.

# SQLite gives an automatic number to INTEGER keys only.
_NUMBER = BigInteger().with_variant(Integer(), "sqlite")

# --- configuration -------------------------------------------------------------------------------------------------

revision = Table(
    "revision",
    metadata,
    Column("number", _NUMBER, primary_key=True),
    Column("applied_at", Moment, nullable=False),
    Column("actor", Text, nullable=False),
    Column("plan", JSON, nullable=False),
    # Why somebody changed this past the configuration; empty for a plan that was applied.
    Column("by_hand", Text, nullable=False, server_default=""),
    # The configuration that was applied: its hash, and the commit it was at, where it was in git.
    Column("config_hash", Text, nullable=False, server_default=""),
    Column("commit", Text, nullable=False, server_default=""),
    # The digest of the plan, by which a saved one is known again, and what it counted.
    Column("digest", Text, nullable=False, server_default=""),
    Column("summary", JSON, nullable=False, server_default="{}"),
)

resource = Table(
    "resource",
    metadata,
    Column("address", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    # JSON, kept as the text that it is: two configurations are compared by their texts first.
    Column("body", Text, nullable=False),
    Column("revision", _NUMBER, nullable=False),
    # Where the configuration declares it, as file:line@commit; empty for what stands in no file.
    Column("origin", Text, nullable=False, server_default=""),
    # Whose it is: of a configuration, or of the API, by which it was made by hand.
    Column("managed_by", Text, nullable=False, server_default="configuration"),
)

# Who alone may do something now, by its name: apply, or watch a configuration.
lease = Table(
    "lease",
    metadata,
    Column("name", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("token", Text, nullable=False),
    Column("acquired_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
)

# What is held out of reconciling.
suspension = Table(
    "suspension",
    metadata,
    Column("address", Text, primary_key=True),
    Column("until", Moment),
    Column("reason", Text, nullable=False),
    Column("actor", Text, nullable=False),
)

# What the watcher has to say about an account, or (empty scope) about all of the configuration.
condition = Table(
    "condition",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("type", Text, primary_key=True),
    Column("status", Boolean, nullable=False),
    Column("commit", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("changed_at", Moment, nullable=False),
)

mailbox = Table(
    "mailbox",
    metadata,
    Column("uuid", Uuid, primary_key=True),
    # Empty once the mailbox is destroyed: its envelopes and log records keep naming the UUID.
    Column("address", Text, unique=True),
    Column("created_at", Moment, nullable=False),
)

credential = Table(
    "credential",
    metadata,
    Column("number", _NUMBER, primary_key=True),
    Column("address", Text, nullable=False, index=True),
    Column("fingerprint", Text, nullable=False),
    Column("verifier", LargeBinary, nullable=False),
    Column("public", Text, nullable=False),
    Column("secret", LargeBinary, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment),
)

# --- payloads and folders --------------------------------------------------------------------------------------------

blob = Table(
    "blob",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("created_at", Moment, nullable=False),
    # The bytes themselves when they are few; otherwise a file of the blob folder holds them. They come last: what
    # stands behind them is read through them.
    Column("content", LargeBinary),
)

file = Table(
    "file",
    metadata,
    Column("mailbox", Uuid, primary_key=True),
    Column("folder", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("sha256", Text, ForeignKey("blob.sha256"), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("modified_at", Moment, nullable=False),
    # The receipt that is to process this file (coutbox, outbox), or the failed conversion that put it into error.
    Column("receipt", Uuid),
    Column("conversion", Uuid),
    sqlite_with_rowid=False,
)

# --- the envelope's way ----------------------------------------------------------------------------------------------

receipt = Table(
    "receipt",
    metadata,
    Column("uuid", Uuid, primary_key=True),
    Column("mailbox", Uuid, nullable=False),
    Column("channel", Text, nullable=False),
    # True for an envelope XML that is sent as it is; False for a partner file that a rule converts.
    Column("native", Boolean, nullable=False),
    Column("name", Text, nullable=False),
    Column("sha256", Text, ForeignKey("blob.sha256"), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("content_type", Text, nullable=False),
    Column("attributes", JSON, nullable=False),
    Column("received_at", Moment, nullable=False),
    Column("state", Text, nullable=False),
    # The log record that this receipt is another attempt at.
    Column("conversion", Uuid),
    sqlite_with_rowid=False,
)

envelope = Table(
    "envelope",
    metadata,
    Column("uuid", Uuid, primary_key=True),
    Column("template_uuid", Uuid, nullable=False),
    Column("template_version", Uuid, nullable=False),
    Column("sender", Uuid, nullable=False, index=True),
    Column("status", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("sha256", Text, ForeignKey("blob.sha256"), nullable=False),
    Column("created_at", Moment, nullable=False, index=True),
    Column("changed_at", Moment, nullable=False),
)

arrival = Table(
    "arrival",
    metadata,
    Column("uuid", Uuid, primary_key=True),
    Column("envelope", Uuid, ForeignKey("envelope.uuid"), nullable=False),
    Column("mailbox", Uuid, nullable=False, index=True),
    Column("state", Text, nullable=False),
    Column("changed_at", Moment, nullable=False),
    UniqueConstraint("envelope", "mailbox"),
    sqlite_with_rowid=False,
)

attachment = Table(
    "attachment",
    metadata,
    # A map may attach one file to several envelopes.
    Column("uuid", Uuid, primary_key=True),
    Column("envelope", Uuid, ForeignKey("envelope.uuid"), primary_key=True, index=True),
    Column("name", Text, nullable=False),
    Column("sha256", Text, ForeignKey("blob.sha256"), nullable=False),
)

event = Table(
    "event",
    metadata,
    Column("number", _NUMBER, primary_key=True),
    Column("envelope", Uuid, ForeignKey("envelope.uuid"), nullable=False, index=True),
    Column("at", Moment, nullable=False),
    Column("what", Text, nullable=False),
    Column("mailbox", Uuid),
    Column("message", Text, nullable=False),
)

conversion = Table(
    "conversion",
    metadata,
    Column("uuid", Uuid, primary_key=True),
    Column("created_at", Moment, nullable=False),
    Column("changed_at", Moment, nullable=False),
    Column("status", Text, nullable=False),
    Column("direction", Text, nullable=False),
    Column("mailbox", Uuid, nullable=False),
    Column("rule", Text),
    Column("receipt", Uuid),
    Column("arrival", Uuid),
    Column("envelopes", JSON, nullable=False),
    Column("file_name", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("error_code", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("input", Text, ForeignKey("blob.sha256"), nullable=False),
    Column("source", Text, ForeignKey("blob.sha256")),
    Column("output", Text, ForeignKey("blob.sha256")),
    Column("messages", JSON, nullable=False),
    Column("attributes", JSON, nullable=False),
    # The log is read newest first, whatever it is filtered by.
    Index("ix_conversion_created_at_status", "created_at", "status"),
    Index("ix_conversion_status_created_at", "status", "created_at"),
    Index("ix_conversion_mailbox_created_at", "mailbox", "created_at", "status"),
    Index("ix_conversion_rule_created_at", "rule", "created_at"),
)

# The words of a record's file name and subject, in lower case: a keyword is the beginning of one of them.
word = Table(
    "word",
    metadata,
    Column("word", Text, primary_key=True),
    Column("conversion", Uuid, primary_key=True),
    # Whether one record has a word: asked of each when many records have it.
    Index("ix_word_conversion_word", "conversion", "word"),
    sqlite_with_rowid=False,
)

# --- what leaves the database ----------------------------------------------------------------------------------------

post = Table(
    "post",
    metadata,
    Column("message_id", Text, primary_key=True),
    Column("mailbox", Uuid, nullable=False, index=True),
    Column("envelope", Uuid, nullable=False),
    Column("conversion", Uuid),
    Column("sha256", Text, ForeignKey("blob.sha256"), nullable=False),
    Column("file_name", Text, nullable=False),
    Column("content_type", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("mic", Text, nullable=False),
    Column("mic_algorithm", Text, nullable=False),
    Column("mdn", Text, ForeignKey("blob.sha256")),
    Column("error", Text, nullable=False),
    Column("changed_at", Moment, nullable=False),
)

as2_message = Table(
    "as2_message",
    metadata,
    Column("as2_from", Text, primary_key=True),
    Column("as2_to", Text, primary_key=True),
    Column("message_id", Text, primary_key=True),
    Column("receipt", Uuid, nullable=False),
    Column("answer_status", Integer, nullable=False),
    Column("answer_headers", JSON, nullable=False),
    Column("answer", LargeBinary, nullable=False),
    Column("received_at", Moment, nullable=False),
)

Index("ix_as2_message_receipt", as2_message.c.receipt)

as2_exchange = Table(
    "as2_exchange",
    metadata,
    Column("number", _NUMBER, primary_key=True),
    Column("mailbox", Uuid, nullable=False),
    # Of the message itself or, for an MDN that was posted, of the message that it is about.
    Column("message_id", Text, nullable=False),
    Column("direction", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("headers", JSON, nullable=False),
    Column("wire_size", BigInteger, nullable=False),
    Column("status", Integer, nullable=False),
    Column("answer_headers", JSON, nullable=False),
    # The MDN, or whatever the other side answered, as bytes.
    Column("answer", LargeBinary, nullable=False),
    Column("mic", Text, nullable=False),
    Column("mic_algorithm", Text, nullable=False),
    # Where the MDN is to be posted when it was not the answer.
    Column("mdn_url", Text),
    Index("ix_as2_exchange_message_id", "message_id"),
    Index("ix_as2_exchange_mailbox_started_at", "mailbox", "started_at"),
)

job = Table(
    "job",
    metadata,
    Column("number", _NUMBER, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    # The destination whose limits hold for this job; empty where nothing but the number of workers limits it.
    Column("queue", Text, nullable=False),
    # Whether it waits for all jobs that were added to its queue before it.
    Column("ordered", Boolean, nullable=False),
    # Lower goes first; 0 is usual.
    Column("priority", Integer, nullable=False),
    # While a job with this key is pending, no other of its kind is added with it.
    Column("key", Text),
    Column("state", Text, nullable=False),
    Column("run_at", Moment, nullable=False),
    # Claims beyond the failures ended with the death of their workers.
    Column("claims", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("lease_owner", Text),
    Column("lease_until", Moment),
    Column("error", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    # The trace of the upload that it goes back to (W3C traceparent).
    Column("trace", Text, nullable=False, server_default=""),
)

# Each state has an index of its own that holds the jobs of that state only, in the order in which they are looked for:
# finding the next one costs the same behind a million others, and what is done costs nothing.
_PENDING = "state IN ('ready', 'running', 'retrying')"
for _name, _columns, _where, _unique in (
    ("ix_job_ready", ("kind", "queue", "priority", "number"), "state = 'ready'", False),
    ("ix_job_retrying", ("run_at",), "state = 'retrying'", False),
    ("ix_job_running", ("lease_until",), "state = 'running'", False),
    ("ix_job_dead", ("number",), "state = 'dead'", False),
    # Jobs that are looked for by what they are about: to be hastened, or tried again.
    ("ix_job_retrying_subject", ("kind", "subject"), "state = 'retrying'", False),
    ("ix_job_dead_subject", ("kind", "subject"), "state = 'dead'", False),
    ("ix_job_held", ("queue", "state"), "queue <> '' AND state IN ('running', 'retrying')", False),
    ("uq_job_key", ("kind", "key"), f"key IS NOT NULL AND {_PENDING}", True),
):
    Index(
        _name,
        *(job.c[name] for name in _columns),
        unique=_unique,
        sqlite_where=text(_where),
        postgresql_where=text(_where),
    )

# What is known of a destination beyond its jobs: how it answered lately, and when it may be asked again.
destination = Table(
    "destination",
    metadata,
    Column("name", Text, primary_key=True),
    # Failures since the last success.
    Column("failures", Integer, nullable=False),
    # Nothing is tried before, because it failed too often in a row.
    Column("open_until", Moment),
    # Nothing is tried before, because it is asked so often a minute and no more.
    Column("next_at", Moment),
)

# --- who is kept out -------------------------------------------------------------------------------------------------

ban = Table(
    "ban",
    metadata,
    # An address or network with its prefix, or a login: `address 192.0.2.1`, `login 6f1c…`.
    Column("subject", Text, primary_key=True),
    Column("banned_at", Moment, nullable=False),
    Column("until", Moment, nullable=False),
    # How many bans in a row: each lasts twice as long as the one before.
    Column("count", Integer, nullable=False),
)
