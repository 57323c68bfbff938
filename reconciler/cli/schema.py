"""`reconciler schema`: the configuration's language for editors."""

import json
from pathlib import Path

import click

from reconciler.cli import terminal


@click.command()
@click.argument("folder", metavar="[DIR]", default=Path("schemas"), type=click.Path(file_okay=False, path_type=Path))
def schema(folder: Path) -> None:
    """Write the JSON Schemas for editors.

    They go into DIR (default: schemas).
    """
    from reconciler.service.workspace import schemas  # noqa: PLC0415 - `--help` shall not wait for the service

    folder.mkdir(parents=True, exist_ok=True)
    for name, document in schemas().items():
        (folder / name).write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        terminal.write(f"Wrote {folder / name}")


COMMANDS = {"schema": schema}
