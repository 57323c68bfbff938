"""The steps of the demonstration. Each does one thing for real and raises StepError when it does not hold."""

from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import UUID

import paramiko

from reconciler.cli import terminal
from reconciler.cli.demo.stage import Stage, StepError, await_that
from reconciler.live.views import EnvelopeView, LogRecord
from reconciler.plan.render import text

ACME = "accounts.acme.mailboxes.orders"
GLOBEX = "accounts.globex.mailboxes"

Scene = Callable[[Stage], str]
"""Plays on the stage and returns in a few words what was seen."""


def validate(stage: Stage) -> str:
    """Check the whole configuration."""
    desired = stage.workspace.load()
    return f"{len(desired.state)} resources, no mistake"


def plan(stage: Stage) -> str:
    """Show what applying would change."""
    made = stage.workspace.plan(stage.workspace.load())
    shown = text.render(made, colour=False)
    terminal.write(shown)
    return shown.splitlines()[-1]


def apply(stage: Stage) -> str:
    """Make it true, generating what is to be generated."""
    applied = _apply(stage)
    return f"revision {applied[0]}, {applied[1]} credentials generated"


def _apply(stage: Stage) -> tuple[int, int]:
    desired = stage.workspace.load()
    applied = stage.workspace.apply(stage.workspace.plan(desired), desired, actor="demo")
    return applied.revision, len(applied.generated)


def plan_again(stage: Stage) -> str:
    """See that nothing is left to do."""
    made = stage.workspace.plan(stage.workspace.load())
    if not made.is_empty:
        raise StepError(f"the plan after applying is not empty: {text.render(made, colour=False)}")
    return "No changes."


def serve(stage: Stage) -> str:
    """Start the gateway, a mail sink and an AS2 partner."""
    stage.start_mail_sink()
    stage.start_gateway()
    stage.start_partner()
    return f"SFTP on port {stage.sftp_port}, AS2 on port {stage.http_port}"


def sftp_exchange(stage: Stage) -> str:
    """Upload an EDIFACT order as Acme's partner; download the converted file as Globex's."""
    _upload(stage, "ORDERS_4711.edi")
    content = _download(stage, "sales", "ORDER_4711.xml")
    if b"4711" not in content:
        raise StepError(f"ORDER_4711.xml does not carry the order's number: {content[:200]!r}")
    return f"ORDERS_4711.edi in, ORDER_4711.xml out ({len(content)} bytes)"


def _upload(stage: Stage, name: str) -> None:
    with stage.login(ACME) as client:
        client.put(str(stage.sample(name)), f"/coutbox/{name}")


def _download(stage: Stage, mailbox: str, name: str) -> bytes:
    with stage.login(f"{GLOBEX}.{mailbox}") as client:
        await_that(lambda: name in client.listdir("/cinbox"), f"{name} is in cinbox/ of {mailbox}")
        with client.open(f"/cinbox/{name}") as file:
            return file.read()


def as2_exchange(stage: Stage) -> str:
    """Send an order by AS2, signed and encrypted; receive what it becomes by AS2. Both MDNs are signed."""
    verdict = stage.send_by_as2(stage.sample("ORDERS_4712.edi"))
    received = stage.received / "ORDER_4712.csv"
    await_that(lambda: _content(received), "Globex's AS2 partner has ORDER_4712.csv")
    record = _record(stage, f"{GLOBEX}.sales-as2", "ORDER_4712.csv")
    await_that(
        lambda: stage.workspace.log_record(record.uuid).delivery.startswith("delivered"),
        "the gateway has the partner's signed MDN for ORDER_4712.csv",
    )
    return f"MDN {verdict.get('disposition', 'processed')}; ORDER_4712.csv delivered and confirmed"


def _content(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def default_inbox(stage: Stage) -> str:
    """No rule, default rule `inbox`: a copy of the envelope appears in inbox/."""
    _upload(stage, "ORDERS_4713.edi")
    with stage.login(f"{GLOBEX}.archive") as client:
        names = await_that(lambda: client.listdir("/inbox"), "a copy of the envelope is in inbox/ of archive")
    return f"copy in inbox/: {names[0]}"


def default_notify(stage: Stage) -> str:
    """No rule, default rule `inbox-notify-email`: a mail arrives."""
    _upload(stage, "ORDERS_4714.edi")
    to = "backoffice@globex.example"
    mail = await_that(lambda: next((mail for mail in stage.sink.mails if mail["To"] == to), None), f"{to} has mail")
    return f"mail to {to}: {mail['Subject']}"


def default_autoreject(stage: Stage) -> str:
    """No rule, default rule `autoreject`: the sender sees the rejection and its reason."""
    _upload(stage, "ORDERS_4715.edi")

    def cancelled() -> EnvelopeView | None:
        return next((seen for seen in stage.workspace.envelopes(mailbox=ACME) if seen.status == "CANCELLED"), None)

    return f"Acme sees: {await_that(cancelled, 'the sender sees the envelope CANCELLED').reason}"


def failure(stage: Stage) -> str:
    """Upload an order that the map cannot convert: FAILED, in error/ with the reason beside it, and a mail."""
    _upload(stage, "ORDERS_4717.edi")
    with stage.login(ACME) as client:
        await_that(lambda: "ORDERS_4717.edi.error.txt" in client.listdir("/error"), "ORDERS_4717.edi is in error/")
    to = "edi@acme.example"
    await_that(lambda: any(mail["To"] == to for mail in stage.sink.mails), f"{to} has mail")
    return _record(stage, ACME, "ORDERS_4717.edi").error


def reprocess(stage: Stage) -> str:
    """Mend the map, apply, and run the failed record again."""
    stage.edit("maps/orders-out.xsl", "my:date(., '2')", "my:date(., ('2', '64'))")
    _apply(stage)
    record = _record(stage, ACME, "ORDERS_4717.edi")
    stage.workspace.reprocess(record.uuid)
    await_that(lambda: _status(stage, record.uuid) == "REPROCESSED", "the record is REPROCESSED")
    _download(stage, "sales", "ORDER_4717.xml")
    return f"{record.uuid}: FAILED → REPROCESSED, ORDER_4717.xml delivered"


def switch_off(stage: Stage) -> str:
    """Turn an integration off in the YAML and apply: the open session is cut, the next login refused."""
    client = stage.login(f"{GLOBEX}.archive")
    client.listdir("/")
    on = 'aliases: ["GLN:4000002000035"]\n        integration:\n          enabled: true'
    stage.edit("accounts/globex.yaml", on, on.replace("true", "false"))
    _apply(stage)
    await_that(lambda: _is_cut(client), "the open session is cut")
    try:
        stage.login(f"{GLOBEX}.archive")
    except paramiko.AuthenticationException:
        return "open session cut, next login refused"
    raise StepError("a login succeeded although the integration is off")


def _is_cut(client: paramiko.SFTPClient) -> bool:
    try:
        client.listdir("/")
    except (OSError, EOFError, paramiko.SSHException):
        return True
    return False


def deactivate(stage: Stage) -> str:
    """Deactivate a rule in the YAML and apply: the next file goes another way."""
    on = "orders-from-edifact:\n            active: true\n            direction: out\n            match: {name:"
    stage.edit("accounts/acme.yaml", on, on.replace("true", "false"))
    _apply(stage)
    _upload(stage, "ORDERS_4716.edi")
    content = _download(stage, "sales", "ORDER_4716.xml")
    record = _record(stage, ACME, "ORDERS_4716.edi")
    if record.rule != "accounts.acme.rules.any-order" or b"To be checked" not in content:
        raise StepError(f"ORDERS_4716.edi still went by {record.rule}")
    return "ORDERS_4716.edi went by any-order, marked “To be checked”"


def log(stage: Stage) -> str:
    """Print the conversion log."""
    records = stage.workspace.log()
    rows = [
        (record.status, record.direction, record.mailbox, record.file_name, (record.rule or "").rpartition(".")[2])
        for record in reversed(records)
    ]
    terminal.write(terminal.table(["STATUS", "", "MAILBOX", "FILE", "RULE"], rows))
    failed = [record for record in records if record.status == "FAILED"]
    if failed:
        raise StepError(f"{failed[0].file_name} is FAILED: {failed[0].error}")
    return f"{len(records)} conversions, none FAILED any more"


def _record(stage: Stage, mailbox: str, file_name: str) -> LogRecord:
    def found() -> LogRecord | None:
        records = stage.workspace.log(mailbox=mailbox)
        return next((record for record in records if record.file_name == file_name), None)

    return await_that(found, f"the conversion log has {file_name}")


def _status(stage: Stage, record: UUID) -> str:
    return stage.workspace.log_record(record).status


SCENES: Sequence[tuple[str, Scene]] = (
    ("validate", validate),
    ("plan", plan),
    ("apply", apply),
    ("plan again", plan_again),
    ("start the gateway", serve),
    ("exchange over SFTP", sftp_exchange),
    ("exchange over AS2", as2_exchange),
    ("default rule inbox", default_inbox),
    ("default rule inbox-notify-email", default_notify),
    ("default rule autoreject", default_autoreject),
    ("a conversion that fails", failure),
    ("mend the map, reprocess", reprocess),
    ("turn an integration off", switch_off),
    ("deactivate a rule", deactivate),
    ("conversion log", log),
)
"""The steps, in order, each by its name."""
