"""Fault 11: the next release's database under this release's nodes.

There is no earlier release yet, so the newer one exists in this test only: a migration that expands the schema, as
migrations do first.
"""

from collections.abc import Callable

from sqlalchemy import text

from reconciler.store.schema_version import HEAD
from tests.acceptance.faults.sites import Site
from tests.acceptance.running_gateway import await_that
from tests.postgresql import PostgresqlServer

EXPAND = (
    "ALTER TABLE job ADD COLUMN colour TEXT",
    "ALTER TABLE receipt ADD COLUMN colour TEXT NOT NULL DEFAULT 'none'",
    "CREATE INDEX ix_receipt_colour ON receipt (colour)",
    "UPDATE alembic_version SET version_num = '9999'",
)
BACK = f"UPDATE alembic_version SET version_num = '{HEAD}'"


def test_a_database_that_is_expanded_under_load_goes_on_with_older_nodes(
    new_site: Callable[..., Site], postgresql: PostgresqlServer
) -> None:
    url = postgresql.database()
    site = new_site(url=url)
    site.accept_orders(range(5000, 5100))
    site.start()
    await_that(lambda: site.done() > 20, "work has begun")
    for statement in EXPAND:
        with site.store.engine.begin() as connection:
            connection.execute(text(statement))
    site.accept_orders(range(5100, 5110))
    site.await_drained()
    site.require_each_once(range(5000, 5110))

    # The node that runs goes on; one that starts is told what to do, and touches nothing.
    late = site.command("serve", "--node", "late")
    assert late.returncode == 1
    assert "upgraded by a newer release" in late.stderr
    assert "Traceback" not in late.stderr
    assert site.is_ready()
    with site.store.engine.begin() as connection:
        connection.execute(text(BACK))
