"""Schema migrations (Alembic). `HEAD` is the newest one, so that an up-to-date database costs one query, no import."""

from sqlalchemy import Engine, inspect, text

from reconciler.errors import ReconcilerError
from reconciler.store.schema_version import HEAD


def upgrade(engine: Engine) -> None:
    """Bring a database to `HEAD`. Raises ReconcilerError when a newer release was here; an older one steps aside."""
    if _current(engine) == HEAD:
        return
    # Imported here because nearly every start finds the database up to date.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", "reconciler.store:migrations")
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        if engine.dialect.name == "postgresql":  # nodes may start at once, each on a machine of its own
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('reconciler upgrade'))"))
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, HEAD)
        except CommandError as error:
            raise ReconcilerError(
                f"The database was upgraded by a newer release than this one, which knows it up to {HEAD}. Run that "
                "release here too."
            ) from error


def _current(engine: Engine) -> str | None:
    if not inspect(engine).has_table("alembic_version"):
        return None
    with engine.connect() as connection:
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
