"""`reconciler rule`: what a rule begins with."""

from pathlib import Path

import click

from reconciler.cli import terminal
from reconciler.cli.workspace import opened
from reconciler.model.rule import Direction

_MATCH = {Direction.OUT: "\n  match: {name: '.*\\.xml'}", Direction.IN: ""}


@click.group()
def rule() -> None:
    """Begin a conversion rule."""


@rule.command()
@click.argument("template", metavar="TEMPLATE")
@click.option(
    "--direction",
    type=click.Choice(["out", "in", "both"]),
    default="both",
    show_default=True,
    help="Which maps: into envelopes, out of them, or both.",
)
@click.option(
    "--into",
    "folder",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="Where the files go. Default: the working directory.",
)
@click.pass_context
def scaffold(ctx: click.Context, template: str, direction: str, folder: Path) -> None:
    """Write an example envelope and the first maps of TEMPLATE.

    TEMPLATE is the address of a template, such as accounts.acme.templates.order, or its XML file. The maps name every
    field and change nothing yet, so that each works on the example from the beginning. No file is overwritten.
    """
    # The service brings every adapter with it; `--help` shall not wait for them.
    from reconciler.conversion.scaffold import example_envelope, stylesheet  # noqa: PLC0415
    from reconciler.envelope.element import XmlError  # noqa: PLC0415
    from reconciler.envelope.template import parse_template  # noqa: PLC0415

    file = Path(template)
    if file.is_file():
        name, content, reference = file.stem, file.read_bytes(), ""
    else:
        content = opened(ctx).offline().template(template)
        _, account, _, name = template.split(".")
        reference = f"{account}.{name}"
    try:
        definition = parse_template(content)
    except XmlError as error:
        raise click.ClickException(f"{template}, {error}") from None
    directions = list(Direction) if direction == "both" else [Direction(direction)]
    example = folder / f"{name}-example.xml"
    maps = {one: folder / f"{name}-{one}.xsl" for one in directions}
    for path in (example, *maps.values()):
        if path.exists():
            raise click.ClickException(f"{path} is there already. Name another folder: --into DIR")
    folder.mkdir(parents=True, exist_ok=True)
    example.write_bytes(example_envelope(definition))
    for one, path in maps.items():
        path.write_bytes(stylesheet(definition, one))
    terminal.say(f"Wrote {', '.join(map(str, (example, *maps.values())))}. Rules to begin with:\n")
    reference = reference or f"{{uuid: {definition.ref.uuid}, version: {definition.ref.version}}}"
    for one, path in maps.items():
        terminal.write(
            f"{name}-{one}:\n  active: false\n  direction: {one}{_MATCH[one]}"
            f"\n  template: {reference}\n  convert: {path}"
        )
    terminal.say(f"\nPaths are relative to the YAML file. Then: reconciler convert {example} --rule ADDRESS")


COMMANDS = {"rule": rule}
