"""`reconciler test`: the tests that stand beside rules."""

from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, ElementTree, SubElement

import click

from reconciler.cli import terminal
from reconciler.cli.workspace import opened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.errors import Position
    from reconciler.live.views import RuleTestRun


@click.command()
@click.argument("address", required=False, default="")
@click.option("--live", is_flag=True, help="Run the tests that the live rules have, with their live maps.")
@click.option("--update", is_flag=True, help="Where what comes out differs, write it as what is expected.")
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Write the results for CI too.")
@click.pass_context
def test(ctx: click.Context, address: str, junit: Path | None, *, live: bool, update: bool) -> None:
    """Run the tests that stand beside rules.

    The real conversion runs, offline; nothing is created, sent or logged. ADDRESS, such as accounts.acme, limits it to
    the rules there and below.
    """
    if live and update:
        raise click.UsageError("What is live cannot be updated here: leave --live or --update out.")
    workspace = opened(ctx)
    results: list[tuple[RuleTestRun, Position | None]] = []
    updated = 0
    if live:
        for run in workspace.test_live(address):
            results.append((run, None))
            _show(run)
    else:
        for result in workspace.test(address, update=update):
            results.append((result.run, result.position))
            updated += result.updated
            _show(result.run, result.position, updated=result.updated)
    failed = sum(bool(run.fault) for run, _ in results)
    if junit is not None:
        _write_junit(junit, results)
    written = f", {updated} written" if update else ""
    terminal.write(f"{len(results)} test{'' if len(results) == 1 else 's'}, {failed} failed{written}.")
    if failed:
        ctx.exit(1)


def _show(run: "RuleTestRun", position: "Position | None" = None, *, updated: bool = False) -> None:
    word = "FAILED" if run.fault else "WRITTEN" if updated else "passed"
    terminal.write(f"{word}  {run.rule}  {run.name}")
    if run.fault:
        terminal.write(f"    {terminal.printable(run.fault)}")
        if position is not None:
            terminal.write(f"    {position}")
    if run.diff:
        terminal.write(terminal.printable(run.diff))


def _write_junit(path: Path, results: "Sequence[tuple[RuleTestRun, Position | None]]") -> None:
    failed = sum(bool(run.fault) for run, _ in results)
    suite = Element("testsuite", name="reconciler", tests=str(len(results)), failures=str(failed))
    for run, position in results:
        case = SubElement(suite, "testcase", classname=run.rule, name=run.name, time=f"{run.seconds:.3f}")
        if position is not None:
            case.attrib |= {"file": position.file, "line": str(position.line)}
        if run.fault:
            failure = SubElement(case, "failure", message=terminal.printable(run.fault))
            failure.text = terminal.printable(run.diff) or None
    path.parent.mkdir(parents=True, exist_ok=True)
    ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)


COMMANDS = {"test": test}
