"""`reconciler suspend` and `resume`: holding an account out of reconciling."""

from datetime import UTC, datetime

import click

from reconciler.cli import terminal
from reconciler.cli.workspace import actor, opened
from reconciler.model.duration import parse_duration


class _Moment(click.ParamType[datetime]):
    """A time of day in ISO 8601 (UTC where it names no zone), or a length of time from now, such as 2h."""

    name = "time"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return the moment."""
        try:
            return datetime.now(UTC) + parse_duration(value)
        except ValueError:
            pass  # then it is a moment
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"expected a time such as 2030-01-31T18:00, or 2h from now, got '{value}'", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@click.command()
@click.argument("address")
@click.option("--until", type=_Moment(), help="When it ends: 2030-01-31T18:00 (UTC), or 2h from now. Default: resume.")
@click.option("--reason", required=True, help="Why; every plan shows it.")
@click.pass_context
def suspend(ctx: click.Context, address: str, until: datetime | None, reason: str) -> None:
    """Hold ADDRESS and what is below out of reconciling.

    Plans show what they would change there, and leave it as it is.

    For example: reconciler suspend accounts.acme --until 2h --reason "the partner moves house"
    """
    key = opened(ctx).oversight.suspend(address, until=until, reason=reason, actor=actor())
    end = f"until {terminal.moment(until)}" if until else f"until: reconciler resume {key}"
    terminal.write(f"Suspended {key} {end}")


@click.command()
@click.argument("address")
@click.pass_context
def resume(ctx: click.Context, address: str) -> None:
    """Take ADDRESS back into reconciling."""
    terminal.write(f"Resumed {opened(ctx).oversight.resume(address)}. The next apply makes up for it.")


COMMANDS = {"suspend": suspend, "resume": resume}
