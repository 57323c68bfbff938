"""`reconciler explain`: what an error's code means."""

import click

from reconciler.cli import terminal


@click.command()
@click.argument("codes", metavar="[CODE]...", nargs=-1)
def explain(codes: tuple[str, ...]) -> None:
    """Say what errors' codes mean and how they are mended.

    Without CODE, list all of them.
    """
    from reconciler.desired.codes import Code  # noqa: PLC0415 - `--help` shall not wait for it
    from reconciler.desired.nearest import nearest  # noqa: PLC0415

    if not codes:
        terminal.write(terminal.listing((known.value, known.explanation) for known in Code))
        return
    explained = {known.value: known.explanation for known in Code}
    for code in codes:
        if code not in explained:
            near = nearest(code, list(explained))
            hint = f"Did you mean {near}?" if near else "See: reconciler explain"
            raise click.UsageError(f"There is no code {code}. {hint}")
    terminal.write("\n\n".join(f"{code}\n\n{explained[code]}" for code in codes))


COMMANDS = {"explain": explain}
