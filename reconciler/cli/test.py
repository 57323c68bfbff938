"""`reconciler test`: the tests that stand beside rules."""

from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, ElementTree, SubElement

import click

from reconciler.cli import terminal
from reconciler.cli.workspace import opened

if TYPE_CHECKING:
    from reconciler.service.rule_testing import RuleTestResult


@click.command()
@click.argument("address", required=False, default="")
@click.option("--update", is_flag=True, help="Write what comes out as what is expected.")
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Write the results for CI too.")
@click.pass_context
def test(ctx: click.Context, address: str, junit: Path | None, *, update: bool) -> None:
    """Run the tests that stand beside rules.

    The real conversion runs, offline. ADDRESS, such as accounts.acme, limits it to the rules there and below.
    """
    results = []
    for result in opened(ctx).test(address, update=update):
        results.append(result)
        _show(result)
    failed = sum(bool(result.fault) for result in results)
    updated = sum(result.updated for result in results)
    if junit is not None:
        _write_junit(junit, results)
    written = f", {updated} written" if update else ""
    terminal.write(f"{len(results)} test{'' if len(results) == 1 else 's'}, {failed} failed{written}.")
    if failed:
        ctx.exit(1)


def _show(result: "RuleTestResult") -> None:
    word = "FAILED" if result.fault else "WRITTEN" if result.updated else "passed"
    terminal.write(f"{word}  {result.test.rule}  {result.test.name}")
    if result.fault:
        terminal.write(f"    {terminal.printable(result.fault)}")
        terminal.write(f"    {result.test.place.position()}")
    if result.diff:
        terminal.write(terminal.printable(result.diff))


def _write_junit(path: Path, results: "list[RuleTestResult]") -> None:
    failed = sum(bool(result.fault) for result in results)
    suite = Element("testsuite", name="reconciler", tests=str(len(results)), failures=str(failed))
    for result in results:
        place = result.test.place.position()
        case = SubElement(
            suite,
            "testcase",
            classname=str(result.test.rule),
            name=result.test.name,
            time=f"{result.seconds:.3f}",
            file=place.file,
            line=str(place.line),
        )
        if result.fault:
            failure = SubElement(case, "failure", message=terminal.printable(result.fault))
            failure.text = terminal.printable(result.diff) or None
    path.parent.mkdir(parents=True, exist_ok=True)
    ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)


COMMANDS = {"test": test}
