"""The tables. Every row is a noun of the domain; what is still to be done with it is a row of `job`."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
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
)

resource = Table(
    "resource",
    metadata,
    Column("address", String(500), primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("body", JSON, nullable=False),
    Column("revision", _NUMBER, nullable=False),
)

mailbox = Table(
    "mailbox",
    metadata,
    Column("uuid", Uuid, primary_key=True),
    # Empty once the mailbox is destroyed: its envelopes and log records keep naming the UUID.
    Column("address", String(500), unique=True),
    Column("created_at", Moment, nullable=False),
)

credential = Table(
    "credential",
    metadata,
    Column("number", _NUMBER, primary_key=True),
    Column("address", String(500), nullable=False, index=True),
    Column("fingerprint", String(100), nullable=False),
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
    Column("sha256", String(64), primary_key=True),
    Column("size", BigInteger, nullable=False),
    # The bytes themselves when they are few; otherwise a file of the blob folder holds them.
    Column("content", LargeBinary),
    Column("created_at", Moment, nullable=False),
)

file = Table(
    "file",
    metadata,
    Column("number", _NUMBER, primary_key=True),
    Column("mailbox", Uuid, nullable=False),
    Column("folder", String(10), nullable=False),
    Column("name", String(255), nullable=False),
    Column("sha256", String(64), ForeignKey("blob.sha256"), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("modified_at", Moment, nullable=False),
    # The receipt that is to process this file (coutbox, outbox), or the failed conversion that put it into error.
    Column("receipt", Uuid),
    Column("conversion", Uuid),
    UniqueConstraint("mailbox", "folder", "name"),
)

# --- the envelope's way ----------------------------------------------------------------------------------------------

receipt = Table(
    "receipt",
    metadata,
    Column("uuid", Uuid, primary_key=True),
    Column("mailbox", Uuid, nullable=False),
    Column("channel", String(10), nullable=False),
    # True for an envelope XML that is sent as it is; False for a partner file that a rule converts.
    Column("native", Boolean, nullable=False),
    Column("name", String(255), nullable=False),
    Column("sha256", String(64), ForeignKey("blob.sha256"), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("content_type", Text, nullable=False),
    Column("attributes", JSON, nullable=False),
    Column("received_at", Moment, nullable=False),
    Column("state", String(10), nullable=False),
    # The log record that this receipt is another attempt at.
    Column("conversion", Uuid),
)

envelope = Table(
    "envelope",
    metadata,
    Column("uuid", Uuid, primary_key=True),
    Column("template_uuid", Uuid, nullable=False),
    Column("template_version", Uuid, nullable=False),
    Column("sender", Uuid, nullable=False, index=True),
    Column("status", String(10), nullable=False),
    Column("subject", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("sha256", String(64), ForeignKey("blob.sha256"), nullable=False),
    Column("created_at", Moment, nullable=False, index=True),
    Column("changed_at", Moment, nullable=False),
)

arrival = Table(
    "arrival",
    metadata,
    Column("uuid", Uuid, primary_key=True),
    Column("envelope", Uuid, ForeignKey("envelope.uuid"), nullable=False),
    Column("mailbox", Uuid, nullable=False, index=True),
    Column("state", String(10), nullable=False),
    Column("changed_at", Moment, nullable=False),
    UniqueConstraint("envelope", "mailbox"),
)

attachment = Table(
    "attachment",
    metadata,
    Column("uuid", Uuid, primary_key=True),
    Column("envelope", Uuid, ForeignKey("envelope.uuid"), nullable=False, index=True),
    Column("name", String(255), nullable=False),
    Column("sha256", String(64), ForeignKey("blob.sha256"), nullable=False),
)

event = Table(
    "event",
    metadata,
    Column("number", _NUMBER, primary_key=True),
    Column("envelope", Uuid, ForeignKey("envelope.uuid"), nullable=False, index=True),
    Column("at", Moment, nullable=False),
    Column("what", String(20), nullable=False),
    Column("mailbox", Uuid),
    Column("message", Text, nullable=False),
)

conversion = Table(
    "conversion",
    metadata,
    Column("uuid", Uuid, primary_key=True),
    Column("created_at", Moment, nullable=False, index=True),
    Column("changed_at", Moment, nullable=False),
    Column("status", String(12), nullable=False),
    Column("direction", String(3), nullable=False),
    Column("mailbox", Uuid, nullable=False, index=True),
    Column("rule", String(500)),
    Column("receipt", Uuid),
    Column("arrival", Uuid),
    Column("envelopes", JSON, nullable=False),
    Column("file_name", String(255), nullable=False),
    Column("error_code", String(60), nullable=False),
    Column("error", Text, nullable=False),
    Column("input", String(64), ForeignKey("blob.sha256"), nullable=False),
    Column("source", String(64), ForeignKey("blob.sha256")),
    Column("output", String(64), ForeignKey("blob.sha256")),
    Column("messages", JSON, nullable=False),
)

# --- what leaves the database ----------------------------------------------------------------------------------------

post = Table(
    "post",
    metadata,
    Column("message_id", String(255), primary_key=True),
    Column("mailbox", Uuid, nullable=False, index=True),
    Column("envelope", Uuid, nullable=False),
    Column("conversion", Uuid),
    Column("sha256", String(64), ForeignKey("blob.sha256"), nullable=False),
    Column("file_name", String(255), nullable=False),
    Column("content_type", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("state", String(10), nullable=False),
    Column("mic", Text, nullable=False),
    Column("mic_algorithm", String(20), nullable=False),
    Column("mdn", String(64), ForeignKey("blob.sha256")),
    Column("error", Text, nullable=False),
    Column("changed_at", Moment, nullable=False),
)

as2_message = Table(
    "as2_message",
    metadata,
    Column("as2_from", String(128), primary_key=True),
    Column("as2_to", String(128), primary_key=True),
    Column("message_id", String(998), primary_key=True),
    Column("receipt", Uuid, nullable=False),
    Column("answer_status", Integer, nullable=False),
    Column("answer_headers", JSON, nullable=False),
    Column("answer", LargeBinary, nullable=False),
    Column("received_at", Moment, nullable=False),
)

mail = Table(
    "mail",
    metadata,
    Column("message_id", String(255), primary_key=True),
    Column("recipient", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("state", String(10), nullable=False),
    Column("changed_at", Moment, nullable=False),
)

job = Table(
    "job",
    metadata,
    Column("number", _NUMBER, primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("subject", String(255), nullable=False),
    Column("state", String(10), nullable=False),
    Column("run_at", Moment, nullable=False),
    Column("claims", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("lease_owner", String(100)),
    Column("lease_until", Moment),
    Column("error", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Index("ix_job_state_run_at", "state", "run_at"),
    Index("ix_job_kind_subject", "kind", "subject"),
)
