"""`reconciler explain`: what an error's code means."""

import click

from reconciler.cli import terminal


@click.command()
@click.argument("code", required=False)
def explain(code: str | None) -> None:
    """Say what an error's code means and how it is mended.

    Without CODE, list all of them.
    """
    from reconciler.desired.codes import Code  # noqa: PLC0415 - `--help` shall not wait for it
    from reconciler.desired.nearest import nearest  # noqa: PLC0415

    if code is None:
        terminal.write(terminal.listing((known.value, known.explanation) for known in Code))
        return
    known = next((known for known in Code if known.value == code), None)
    if known is None:
        near = nearest(code, [known.value for known in Code])
        hint = f"Did you mean {near}?" if near else "See: reconciler explain"
        raise click.UsageError(f"There is no code {code}. {hint}")
    terminal.write(f"{known.value}\n\n{known.explanation}")


COMMANDS = {"explain": explain}
