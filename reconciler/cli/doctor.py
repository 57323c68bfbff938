"""`reconciler doctor`: the usual faults, and what mends them."""

from dataclasses import asdict
from typing import Literal

import click

from reconciler.cli import terminal
from reconciler.cli.workspace import opened

_SIGNS = {"ok": "✓", "soon": "!", "fault": "✗"}


@click.command()
@terminal.printed_as("text", "json")
@click.pass_context
def doctor(ctx: click.Context, form: Literal["text", "json"]) -> int:
    """Look for the usual faults, and say what mends each.

    Ports, permissions, the key, the clock, DNS, certificates, partners, mail. Exits with 1 when there is a fault.
    """
    from reconciler.service.doctor import Verdict, examine  # noqa: PLC0415 - `--help` shall not wait for the service

    found = []
    for diagnosis in examine(opened(ctx)):
        found.append(diagnosis)
        if form == "text":
            terminal.write(terminal.printable(f"{_SIGNS[diagnosis.verdict]} {diagnosis.what}: {diagnosis.seen}"))
            if diagnosis.mend:
                terminal.write(f"    → {diagnosis.mend}")
    if form == "json":
        terminal.write_json([asdict(diagnosis) for diagnosis in found])
    return 1 if any(diagnosis.verdict is Verdict.FAULT for diagnosis in found) else 0


COMMANDS = {"doctor": doctor}
