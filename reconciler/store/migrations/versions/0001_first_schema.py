"""First schema."""

import sqlalchemy as sa
from alembic import op

from reconciler.store.moment import Moment

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change the schema."""
    op.create_table(
        "alert",
        sa.Column("concern", sa.Text(), nullable=False),
        sa.Column("mark", sa.Text(), nullable=False),
        sa.Column("told_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("concern", name=op.f("pk_alert")),
    )
    op.create_table(
        "as2_exchange",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("mailbox", sa.Uuid(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("started_at", Moment(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("wire_size", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("answer_headers", sa.JSON(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("mic", sa.Text(), nullable=False),
        sa.Column("mic_algorithm", sa.Text(), nullable=False),
        sa.Column("mdn_url", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_as2_exchange")),
    )
    with op.batch_alter_table("as2_exchange", schema=None) as batch_op:
        batch_op.create_index("ix_as2_exchange_mailbox_started_at", ["mailbox", "started_at"], unique=False)
        batch_op.create_index("ix_as2_exchange_message_id", ["message_id"], unique=False)

    op.create_table(
        "as2_message",
        sa.Column("as2_from", sa.Text(), nullable=False),
        sa.Column("as2_to", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("receipt", sa.Uuid(), nullable=False),
        sa.Column("answer_status", sa.Integer(), nullable=False),
        sa.Column("answer_headers", sa.JSON(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("as2_from", "as2_to", "message_id", name=op.f("pk_as2_message")),
    )
    with op.batch_alter_table("as2_message", schema=None) as batch_op:
        batch_op.create_index("ix_as2_message_receipt", ["receipt"], unique=False)

    op.create_table(
        "audit",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("peer", sa.String(length=100), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit")),
    )
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_audit_at"), ["at"], unique=False)

    op.create_table(
        "ban",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("banned_at", Moment(), nullable=False),
        sa.Column("until", Moment(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_ban")),
    )
    op.create_table(
        "blob",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_blob")),
    )
    op.create_table(
        "condition",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("status", sa.Boolean(), nullable=False),
        sa.Column("commit", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("changed_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "type", name=op.f("pk_condition")),
    )
    op.create_table(
        "credential",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("verifier", sa.LargeBinary(), nullable=False),
        sa.Column("public", sa.Text(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("expires_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_credential")),
    )
    with op.batch_alter_table("credential", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_credential_address"), ["address"], unique=False)

    op.create_table(
        "destination",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("open_until", Moment(), nullable=True),
        sa.Column("next_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_destination")),
    )
    op.create_table(
        "digest",
        sa.Column("mailbox", sa.Uuid(), nullable=False),
        sa.Column("waiting", sa.Integer(), nullable=False),
        sa.Column("sent_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("mailbox", name=op.f("pk_digest")),
    )
    op.create_table(
        "job",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("ordered", sa.Boolean(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("run_at", Moment(), nullable=False),
        sa.Column("claims", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("lease_until", Moment(), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("trace", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_job")),
    )
    with op.batch_alter_table("job", schema=None) as batch_op:
        batch_op.create_index(
            "ix_job_dead",
            ["number"],
            unique=False,
            sqlite_where=sa.text("state = 'dead'"),
            postgresql_where=sa.text("state = 'dead'"),
        )
        batch_op.create_index(
            "ix_job_dead_subject",
            ["kind", "subject"],
            unique=False,
            sqlite_where=sa.text("state = 'dead'"),
            postgresql_where=sa.text("state = 'dead'"),
        )
        batch_op.create_index(
            "ix_job_held",
            ["queue", "state"],
            unique=False,
            sqlite_where=sa.text("queue <> '' AND state IN ('running', 'retrying')"),
            postgresql_where=sa.text("queue <> '' AND state IN ('running', 'retrying')"),
        )
        batch_op.create_index(
            "ix_job_ready",
            ["kind", "queue", "priority", "number"],
            unique=False,
            sqlite_where=sa.text("state = 'ready'"),
            postgresql_where=sa.text("state = 'ready'"),
        )
        batch_op.create_index(
            "ix_job_retrying",
            ["run_at"],
            unique=False,
            sqlite_where=sa.text("state = 'retrying'"),
            postgresql_where=sa.text("state = 'retrying'"),
        )
        batch_op.create_index(
            "ix_job_retrying_subject",
            ["kind", "subject"],
            unique=False,
            sqlite_where=sa.text("state = 'retrying'"),
            postgresql_where=sa.text("state = 'retrying'"),
        )
        batch_op.create_index(
            "ix_job_running",
            ["lease_until"],
            unique=False,
            sqlite_where=sa.text("state = 'running'"),
            postgresql_where=sa.text("state = 'running'"),
        )
        batch_op.create_index(
            "uq_job_key",
            ["kind", "key"],
            unique=True,
            sqlite_where=sa.text("key IS NOT NULL AND state IN ('ready', 'running', 'retrying')"),
            postgresql_where=sa.text("key IS NOT NULL AND state IN ('ready', 'running', 'retrying')"),
        )

    op.create_table(
        "lease",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("acquired_at", Moment(), nullable=False),
        sa.Column("expires_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_lease")),
    )
    op.create_table(
        "mail",
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("changed_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_mail")),
    )
    op.create_table(
        "mailbox",
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("uuid", name=op.f("pk_mailbox")),
        sa.UniqueConstraint("address", name=op.f("uq_mailbox_address")),
    )
    op.create_table(
        "resource",
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("origin", sa.Text(), server_default="", nullable=False),
        sa.Column("managed_by", sa.Text(), server_default="configuration", nullable=False),
        sa.PrimaryKeyConstraint("address", name=op.f("pk_resource")),
    )
    op.create_table(
        "revision",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("applied_at", Moment(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("plan", sa.JSON(), nullable=False),
        sa.Column("by_hand", sa.Text(), server_default="", nullable=False),
        sa.Column("config_hash", sa.Text(), server_default="", nullable=False),
        sa.Column("commit", sa.Text(), server_default="", nullable=False),
        sa.Column("digest", sa.Text(), server_default="", nullable=False),
        sa.Column("summary", sa.JSON(), server_default="{}", nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_revision")),
    )
    op.create_table(
        "session",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("token", sa.String(length=100), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.Column("account", sa.String(length=100), nullable=False),
        sa.Column("expires_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_session")),
    )
    op.create_table(
        "suspension",
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("until", Moment(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("address", name=op.f("pk_suspension")),
    )
    op.create_table(
        "token",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.Column("account", sa.String(length=100), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("expires_at", Moment(), nullable=True),
        sa.Column("used_at", Moment(), nullable=True),
        sa.Column("revoked_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_token")),
        sa.UniqueConstraint("digest", name=op.f("uq_token_digest")),
    )
    op.create_table(
        "untold",
        sa.Column("conversion", sa.Uuid(), nullable=False),
        sa.Column("mailbox", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("conversion", name=op.f("pk_untold")),
    )
    with op.batch_alter_table("untold", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_untold_mailbox"), ["mailbox"], unique=False)

    op.create_table(
        "word",
        sa.Column("word", sa.Text(), nullable=False),
        sa.Column("conversion", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("word", "conversion", name=op.f("pk_word")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("word", schema=None) as batch_op:
        batch_op.create_index("ix_word_conversion_word", ["conversion", "word"], unique=False)

    op.create_table(
        "conversion",
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("changed_at", Moment(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("mailbox", sa.Uuid(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=True),
        sa.Column("receipt", sa.Uuid(), nullable=True),
        sa.Column("arrival", sa.Uuid(), nullable=True),
        sa.Column("envelopes", sa.JSON(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("error_code", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("input", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("output", sa.Text(), nullable=True),
        sa.Column("messages", sa.JSON(), nullable=False),
        sa.Column("attributes", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["input"], ["blob.sha256"], name=op.f("fk_conversion_input")),
        sa.ForeignKeyConstraint(["output"], ["blob.sha256"], name=op.f("fk_conversion_output")),
        sa.ForeignKeyConstraint(["source"], ["blob.sha256"], name=op.f("fk_conversion_source")),
        sa.PrimaryKeyConstraint("uuid", name=op.f("pk_conversion")),
    )
    with op.batch_alter_table("conversion", schema=None) as batch_op:
        batch_op.create_index("ix_conversion_created_at_status", ["created_at", "status"], unique=False)
        batch_op.create_index("ix_conversion_mailbox_created_at", ["mailbox", "created_at", "status"], unique=False)
        batch_op.create_index("ix_conversion_rule_created_at", ["rule", "created_at"], unique=False)
        batch_op.create_index("ix_conversion_status_created_at", ["status", "created_at"], unique=False)

    op.create_table(
        "envelope",
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("template_uuid", sa.Uuid(), nullable=False),
        sa.Column("template_version", sa.Uuid(), nullable=False),
        sa.Column("sender", sa.Uuid(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("changed_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["sha256"], ["blob.sha256"], name=op.f("fk_envelope_sha256")),
        sa.PrimaryKeyConstraint("uuid", name=op.f("pk_envelope")),
    )
    with op.batch_alter_table("envelope", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_envelope_created_at"), ["created_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_envelope_sender"), ["sender"], unique=False)

    op.create_table(
        "file",
        sa.Column("mailbox", sa.Uuid(), nullable=False),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("modified_at", Moment(), nullable=False),
        sa.Column("receipt", sa.Uuid(), nullable=True),
        sa.Column("conversion", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(["sha256"], ["blob.sha256"], name=op.f("fk_file_sha256")),
        sa.PrimaryKeyConstraint("mailbox", "folder", "name", name=op.f("pk_file")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "post",
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("mailbox", sa.Uuid(), nullable=False),
        sa.Column("envelope", sa.Uuid(), nullable=False),
        sa.Column("conversion", sa.Uuid(), nullable=True),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("mic", sa.Text(), nullable=False),
        sa.Column("mic_algorithm", sa.Text(), nullable=False),
        sa.Column("mdn", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("changed_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["mdn"], ["blob.sha256"], name=op.f("fk_post_mdn")),
        sa.ForeignKeyConstraint(["sha256"], ["blob.sha256"], name=op.f("fk_post_sha256")),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_post")),
    )
    with op.batch_alter_table("post", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_post_mailbox"), ["mailbox"], unique=False)

    op.create_table(
        "receipt",
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("mailbox", sa.Uuid(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("native", sa.Boolean(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("attributes", sa.JSON(), nullable=False),
        sa.Column("received_at", Moment(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("conversion", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(["sha256"], ["blob.sha256"], name=op.f("fk_receipt_sha256")),
        sa.PrimaryKeyConstraint("uuid", name=op.f("pk_receipt")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "arrival",
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("envelope", sa.Uuid(), nullable=False),
        sa.Column("mailbox", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("changed_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["envelope"], ["envelope.uuid"], name=op.f("fk_arrival_envelope")),
        sa.PrimaryKeyConstraint("uuid", name=op.f("pk_arrival")),
        sa.UniqueConstraint("envelope", "mailbox", name=op.f("uq_arrival_envelope_mailbox")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("arrival", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_arrival_mailbox"), ["mailbox"], unique=False)

    op.create_table(
        "attachment",
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("envelope", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["envelope"], ["envelope.uuid"], name=op.f("fk_attachment_envelope")),
        sa.ForeignKeyConstraint(["sha256"], ["blob.sha256"], name=op.f("fk_attachment_sha256")),
        sa.PrimaryKeyConstraint("uuid", "envelope", name=op.f("pk_attachment")),
    )
    with op.batch_alter_table("attachment", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_attachment_envelope"), ["envelope"], unique=False)

    op.create_table(
        "event",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("envelope", sa.Uuid(), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("mailbox", sa.Uuid(), nullable=True),
        sa.Column("message", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["envelope"], ["envelope.uuid"], name=op.f("fk_event_envelope")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_event")),
    )
    with op.batch_alter_table("event", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_event_envelope"), ["envelope"], unique=False)
