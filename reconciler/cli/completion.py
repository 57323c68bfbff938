"""`reconciler completion`: what makes a shell complete commands and options."""

import click
from click.shell_completion import get_completion_class

from reconciler.cli import terminal


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Write a script that makes a shell complete commands.

    For bash: eval "$(reconciler completion bash)"
    """
    # The shell's own class would ask the shell for its version, which need not be there yet.
    known = get_completion_class(shell)
    if known is None:
        raise click.UsageError(f"There is nothing for {shell}.")
    script = known(ctx.find_root().command, {}, "reconciler", "_RECONCILER_COMPLETE")
    terminal.write((script.source_template % script.source_vars()).strip())


COMMANDS = {"completion": completion}
