"""Runs migrations on the connection that `upgrade` hands over."""

from alembic import context

from reconciler.store import access_tables, notice_tables
from reconciler.store.tables import metadata

del access_tables, notice_tables  # imported for the tables that they add to the metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()
