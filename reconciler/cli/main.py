"""The command `reconciler`: its options, its subcommands, and what an error looks like."""

import gc
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import NoReturn

import click

from reconciler import __version__
from reconciler.cli import terminal
from reconciler.cli.workspace import Chosen
from reconciler.errors import ConfigurationError, ReconcilerError
from reconciler.model.cycles import without_cycles

# Nothing that happens to be installed beside shall have a say in what is valid; looking for it takes time, too.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

USAGE_ERROR = 64
"""EX_USAGE of sysexits.h, so that a script can tell a mistyped command from a failed one."""

COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "demo": "reconciler.cli.demo",
        "init": "reconciler.cli.init",
        "validate": "reconciler.cli.validate",
        "fmt": "reconciler.cli.fmt",
        "test": "reconciler.cli.test",
        "convert": "reconciler.cli.convert",
        "rule": "reconciler.cli.rule",
        "plan": "reconciler.cli.plan",
        "apply": "reconciler.cli.plan",
        "history": "reconciler.cli.history",
        "rollback": "reconciler.cli.history",
        "drift": "reconciler.cli.history",
        "dump": "reconciler.cli.dump",
        "import": "reconciler.cli.dump",
        "watch": "reconciler.cli.watch",
        "suspend": "reconciler.cli.suspend",
        "resume": "reconciler.cli.suspend",
        "lock": "reconciler.cli.lock",
        "status": "reconciler.cli.status",
        "serve": "reconciler.cli.serve",
        "up": "reconciler.cli.serve",
        "show": "reconciler.cli.show",
        "credentials": "reconciler.cli.credentials",
        "log": "reconciler.cli.log",
        "envelope": "reconciler.cli.envelope",
        "token": "reconciler.cli.token",
        "ban": "reconciler.cli.ban",
        "job": "reconciler.cli.job",
        "fsck": "reconciler.cli.job",
        "doctor": "reconciler.cli.doctor",
        "backup": "reconciler.cli.backup",
        "restore": "reconciler.cli.backup",
        "as2": "reconciler.cli.as2",
        "schema": "reconciler.cli.schema",
        "explain": "reconciler.cli.explain",
        "completion": "reconciler.cli.completion",
    }
)
"""Each command's module, which has it in `COMMANDS` under its name; it is imported when the command is used."""


_BEFORE = frozenset({"--config", "--state"})
"""Options of the program, which people write behind the command, too."""

_BRIEF = frozenset({"validate", "plan", "apply"})
"""Commands that make many objects and end."""


class Reconciler(click.Group):
    """Imports a command's module on use, and gives every outcome its exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which a user meets them."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        """Return a command. Raises click.UsageError, with the nearest one, when there is none of that name."""
        if cmd_name not in COMMANDS:
            from reconciler.desired.nearest import nearest  # noqa: PLC0415 - for the mistyped only

            near = nearest(cmd_name, COMMANDS)
            hint = f"Did you mean '{near}'?" if near else "See: reconciler --help"
            raise click.UsageError(f"There is no command '{cmd_name}'. {hint}", ctx)
        commands: Mapping[str, click.Command] = import_module(COMMANDS[cmd_name]).COMMANDS
        command = commands[cmd_name]
        _takes_environment(command)
        return command

    def main(  # type: ignore[override]  # the program's name and its exits are its own, whatever a caller says
        self, args: Sequence[str] | None = None, **_: object
    ) -> NoReturn:
        """Run and exit: 0, 1 on any error, 64 on a wrong command line, or what the command says."""
        given = sys.argv[1:] if args is None else args
        try:
            with nullcontext() if _BRIEF.isdisjoint(given) else without_cycles():
                code = super().main(args, prog_name="reconciler", standalone_mode=False)
                gc.freeze()  # nor is there anything to search when the process ends
        except click.UsageError as error:
            shown = error
            if isinstance(error, click.NoSuchOption) and (name := error.option_name) in _BEFORE:
                shown = click.UsageError(f"{name} goes before the command: reconciler {name} …", error.ctx)
            shown.show()
            sys.exit(USAGE_ERROR)
        except click.ClickException as error:
            error.show()
            sys.exit(1)
        except click.Abort:
            terminal.say("Aborted.")
            sys.exit(1)
        except ConfigurationError as error:
            terminal.complain_of(error.problems)
            sys.exit(1)
        except ReconcilerError as error:
            _fail(str(error))
        except OSError as error:
            _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))
        except Exception as error:
            if not _is_of_the_store(error):
                raise
            _fail(f"The store's database cannot be used: {' '.join(str(error.__cause__).split())}")
        sys.exit(code if isinstance(code, int) else 0)


def _is_of_the_store(error: Exception) -> bool:
    """Say whether a database is out of reach, full or damaged; what else it can say quotes values, and is our fault."""
    from sqlalchemy.exc import DatabaseError, OperationalError  # noqa: PLC0415 - most commands need none of it

    return isinstance(error, OperationalError) or type(error) is DatabaseError


def _fail(message: str) -> NoReturn:
    click.echo(f"Error: {terminal.printable(message)}", err=True)
    sys.exit(1)


@click.command(cls=Reconciler, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The folder of reconciler.yaml. Default: the nearest one, from the working directory upward.",
)
@click.option(
    "--env",
    "environment",
    metavar="NAME",
    envvar="RECONCILER_ENV",
    help="The environment: environments/NAME.yaml, with its variables and patches.",
)
@click.option(
    "--state",
    metavar="WHERE",
    envvar="RECONCILER_STATE",
    help="Where the live side is: a folder, a database's URL, or a gateway's, with a token in RECONCILER_TOKEN.",
)
@click.version_option(__version__, prog_name="reconciler", message="%(prog)s %(version)s")
@click.pass_context
def main(ctx: click.Context, config: Path | None, environment: str | None, state: str | None) -> None:
    """B2B integrations as code: YAML reconciled with a gateway that speaks SFTP and AS2."""
    ctx.obj = Chosen(config, environment, state)


def _choose(ctx: click.Context, _: click.Parameter, environment: str | None) -> None:
    if environment is not None:
        ctx.find_root().obj.environment = environment


def _takes_environment(command: click.Command) -> None:
    """Give a command, or each one of a group, the option that the program has too: people write it at the end."""
    if isinstance(command, click.Group):
        for part in command.commands.values():
            _takes_environment(part)
    elif all(option.name != "environment" for option in command.params):
        option = click.Option(["--env", "environment"], metavar="NAME", callback=_choose, expose_value=False)
        option.help = "The environment of the configuration."
        command.params.append(option)
