"""`reconciler status`: how the gateway is, at a glance."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Literal

import click

from reconciler.cli import terminal
from reconciler.cli.workspace import opened
from reconciler.live.status import Status, Waiting


@click.command()
@terminal.printed_as("text", "json")
@click.pass_context
def status(ctx: click.Context, form: Literal["text", "json"]) -> None:
    """Show how the gateway is, at a glance.

    What listens, what waits, what is applied, what failed last, and the conditions of each account. Synced: it is as
    the configuration says. Healthy: the last attempt to make it so succeeded. Suspended: it is left alone.
    """
    found = opened(ctx).status()
    if form == "json":
        terminal.write_json(
            {
                "revision": found.revision and found.revision.number,
                "conditions": [asdict(item) for item in found.conditions],
                "suspensions": [asdict(item) | {"key": item.key} for item in found.suspensions],
                "leases": [
                    {"name": item.name, "owner": item.owner, "since": item.acquired_at} for item in found.leases
                ],
                "listeners": [asdict(item) for item in found.listeners],
                "queue": [asdict(item) for item in found.queue],
                "failures": [asdict(item) for item in found.failures],
            }
        )
        return
    terminal.write("\n\n".join(_parts(found)))


def _parts(found: Status) -> list[str]:
    newest = found.revision
    parts = ["Nothing was applied yet. See: reconciler apply"]
    if newest is not None:
        commit = f" at commit {newest.commit[:12]}" if newest.commit else ""
        parts = [f"Revision {newest.number}, {terminal.moment(newest.applied_at)}, by {newest.actor}{commit}"]
    if found.listeners:
        listeners = ((item.name, item.address, "accepts" if item.accepts else "silent") for item in found.listeners)
        parts.append(terminal.table(["LISTENER", "ADDRESS", ""], listeners))
    parts.append(_queue(found.queue))
    if found.conditions:
        rows = (
            (
                item.scope or "(all)",
                item.type,
                "yes" if item.status else "no",
                item.commit[:12],
                terminal.moment(item.changed_at),
                item.message,
            )
            for item in found.conditions
        )
        parts.append(terminal.table(["ACCOUNT", "CONDITION", "", "COMMIT", "SINCE", "MESSAGE"], rows))
    if found.suspensions:
        suspended = (
            (str(item.key), terminal.moment(item.until) if item.until else "resumed", item.actor, item.reason)
            for item in found.suspensions
        )
        parts.append(terminal.table(["SUSPENDED", "UNTIL", "BY", "REASON"], suspended))
    if found.failures:
        failures = (
            (terminal.moment(item.changed_at), item.mailbox, item.file_name, item.error, str(item.uuid))
            for item in found.failures
        )
        parts.append(terminal.table(["FAILED", "MAILBOX", "FILE", "ERROR", "ID"], failures))
    if found.leases:
        leases = ((item.name, item.owner, terminal.moment(item.acquired_at)) for item in found.leases)
        parts.append(terminal.table(["LEASE", "HELD BY", "SINCE"], leases))
    return parts


def _queue(queue: Sequence[Waiting]) -> str:
    if not queue:
        return "Nothing waits to be done."
    rows = (
        (
            item.kind,
            *(str(number) for number in (item.ready, item.running, item.retrying, item.dead)),
            terminal.moment(item.since) if item.since else "",
        )
        for item in queue
    )
    return terminal.table(["QUEUE", "READY", "RUNNING", "RETRYING", "DEAD", "OLDEST"], rows)


COMMANDS = {"status": status}
