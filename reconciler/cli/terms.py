"""The options that say on what terms a plan is made, and what happens while one is applied."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import FrameType
from typing import Any, NoReturn, TypeVar

import click

from reconciler.cli import terminal
from reconciler.model.duration import parse_duration
from reconciler.plan.making import Terms
from reconciler.plan.selection import Selection

Command = TypeVar("Command", bound=Callable[..., Any])


class LengthOfTime(click.ParamType[timedelta]):
    """A length of time such as 30s."""

    name = "duration"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Return the length."""
        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


_OPTIONS = (
    click.option("--prune", is_flag=True, help="Destroy what is live and no longer in the configuration."),
    click.option("--adopt", is_flag=True, help="Take over what was made by hand through the API."),
    click.option(
        "--allow-destroy",
        type=click.IntRange(min=0),
        metavar="N",
        help="Destroy exactly N objects, more than the limits allow.",
    ),
    click.option("--target", "targets", multiple=True, metavar="GLOB", help="Plan these addresses and what is below."),
    click.option("--exclude", "excludes", multiple=True, metavar="GLOB", help="Leave these addresses out."),
)


def terms_given(command: Command) -> Command:
    """Give a command the options of `terms_of`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def terms_of(
    *, prune: bool, adopt: bool, allow_destroy: int | None, targets: tuple[str, ...], excludes: tuple[str, ...]
) -> Terms:
    """Return the terms that the options say."""
    return Terms(prune=prune, adopt=adopt, allow_destroy=allow_destroy, selection=Selection(targets, excludes))


lock_timeout_given = click.option(
    "--lock-timeout",
    type=click.FloatRange(min=0),
    default=10,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for another apply to end.",
)


@contextmanager
def ended_by_signal() -> Iterator[None]:
    """Let SIGTERM end a block as an exception does, so that what it holds is given back."""

    def end(number: int, _frame: FrameType | None) -> NoReturn:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def progress_shown() -> Iterator[Callable[[int, int], None]]:
    """Yield what is told of progress: a bar on a terminal, nothing elsewhere."""
    if not terminal.is_watched(sys.stderr):
        yield lambda _done, _of: None
        return
    from rich.console import Console  # noqa: PLC0415 - where there is no terminal, it is not waited for
    from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn  # noqa: PLC0415

    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Generating credentials", total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)
