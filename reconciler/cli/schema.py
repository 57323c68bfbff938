"""`reconciler schema`: the configuration's language for editors."""

from pathlib import Path

import click

from reconciler.cli import terminal


@click.command()
@click.argument("folder", metavar="[DIR]", default=Path("schemas"), type=click.Path(file_okay=False, path_type=Path))
def schema(folder: Path) -> None:
    """Write the JSON Schemas for editors.

    They go into DIR (default: schemas).
    """
    # `--help` shall not wait for the service and the protocols that it knows.
    from reconciler.desired.json_schema import rendered, schemas  # noqa: PLC0415
    from reconciler.service.wiring import PROTOCOLS  # noqa: PLC0415

    folder.mkdir(parents=True, exist_ok=True)
    for name, document in schemas(PROTOCOLS).items():
        (folder / name).write_text(rendered(document), encoding="utf-8")
        terminal.write(f"Wrote {folder / name}")


COMMANDS = {"schema": schema}
