"""`reconciler schema`: the configuration's language for editors."""

from pathlib import Path

import click

from reconciler.cli import terminal


@click.command()
@click.argument("folder", metavar="[DIR]", default=Path("schemas"), type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--reference",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the reference of every key into this markdown file too, below its mark.",
)
def schema(folder: Path, *, reference: Path | None) -> None:
    """Write the JSON Schemas for editors.

    They go into DIR (default: schemas).
    """
    for path in write_schemas(folder):
        terminal.write(f"Wrote {path}")
    if reference is not None:
        from reconciler.desired.reference import MARK, written_into  # noqa: PLC0415 - not for `--help`
        from reconciler.service.wiring import PROTOCOLS  # noqa: PLC0415

        text = reference.read_text(encoding="utf-8")
        if MARK not in text:
            raise click.ClickException(f"{reference} has no line {MARK.strip()}")
        reference.write_text(written_into(text, PROTOCOLS), encoding="utf-8")
        terminal.write(f"Wrote {reference}")


def write_schemas(folder: Path) -> list[Path]:
    """Write the JSON Schemas into a folder, and return their paths."""
    # `--help` shall not wait for the service and the protocols that it knows.
    from reconciler.desired.json_schema import rendered, schemas  # noqa: PLC0415
    from reconciler.service.wiring import PROTOCOLS  # noqa: PLC0415

    folder.mkdir(parents=True, exist_ok=True)
    for name, document in schemas(PROTOCOLS).items():
        (folder / name).write_text(rendered(document), encoding="utf-8")
    return [folder / name for name in schemas(PROTOCOLS)]


COMMANDS = {"schema": schema}
