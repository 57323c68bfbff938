"""Schema migrations (Alembic). `HEAD` is the newest one, so that an up-to-date database costs one query, no import."""

from typing import Final

from sqlalchemy import Engine, inspect, text

HEAD: Final = "0001"


def upgrade(engine: Engine) -> None:
    """Bring a database to `HEAD`. Raises alembic's CommandError when it was made by a newer release."""
    if _current(engine) == HEAD:
        return
    # Imported here because nearly every start finds the database up to date.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", "reconciler.store:migrations")
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        config.attributes["connection"] = connection
        command.upgrade(config, HEAD)


def _current(engine: Engine) -> str | None:
    if not inspect(engine).has_table("alembic_version"):
        return None
    with engine.connect() as connection:
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
