"""Finding the usual faults of a gateway, each with what mends it."""

import os
import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from shutil import disk_usage
from urllib.parse import urlsplit

import httpx
from sqlalchemy import select

from reconciler.desired.listen import Listen
from reconciler.desired.secret_reading import read_secret
from reconciler.errors import ReconcilerError
from reconciler.jobs.directory import Directory
from reconciler.jobs.expiry import lasting
from reconciler.model.integration import Integration
from reconciler.notify.smtp import mail_server
from reconciler.protocols.as2 import settings as as2
from reconciler.service.alerting import channels
from reconciler.service.mail import mail_sender
from reconciler.service.workspace import Workspace
from reconciler.store import alerts, configuration
from reconciler.store.moment import NOW, Moment
from reconciler.web.oidc import Provider

PATIENCE = 3.0
"""Seconds that somebody else may take to answer."""

APART = timedelta(seconds=60)
"""By how much clocks may differ: signatures and certificates are judged by them."""

NTP = "Have the clock kept by NTP: timedatectl set-ntp true"

SOON = timedelta(days=30)
LITTLE_SPACE = 5.0
"""Per cent of the disk, where `alerts` does not say when what is free is too little."""


class Verdict(StrEnum):
    """How something is."""

    WELL = "ok"
    SOON = "soon"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was looked at, how it is, what was seen, and what mends it."""

    what: str
    verdict: Verdict
    seen: str
    mend: str = ""


def examine(workspace: Workspace) -> Iterator[Diagnosis]:
    """Look at everything, and yield what was found."""
    yield _tried("configuration", lambda: f"{len(workspace.load().state.resources)} resources", "reconciler validate")
    store = _tried("store", lambda: _store(workspace), "Check `state` in reconciler.yaml, and that its database runs.")
    yield store
    yield from _ports(workspace)
    yield from _names(workspace)
    yield from _mail(workspace)
    yield from _sign_in(workspace)
    if store.verdict is not Verdict.WELL:
        return
    yield _tried("key", lambda: _key(workspace), "Put the key that encrypted the secrets into its place; see docs.")
    yield _folder(workspace.store.folder)
    yield _disk(workspace)
    yield _clock(workspace)
    yield _applied(workspace)
    yield from _certificates(workspace)
    yield from _partners(workspace)
    yield from _dead_letters(workspace)


def _tried(what: str, look: Callable[[], str], mend: str) -> Diagnosis:
    try:
        return Diagnosis(what, Verdict.WELL, look())
    except Exception as error:  # noqa: BLE001 - whatever is wrong is what is looked for
        first = (str(error) or type(error).__name__).partition("\n")[0]
        return Diagnosis(what, Verdict.FAULT, first, mend)


def _store(workspace: Workspace) -> str:
    store = workspace.store
    with store.read() as connection:
        configuration.current_revision(connection)
    return store.engine.dialect.name


def _key(workspace: Workspace) -> str:
    _ = workspace.store.keyring
    return "RECONCILER_KEY" if os.environ.get("RECONCILER_KEY") else str(workspace.store.folder / "key")


def _folder(folder: Path) -> Diagnosis:
    mode = folder.stat().st_mode & 0o777
    if mode & 0o077:
        return Diagnosis("permissions", Verdict.FAULT, f"{folder} has mode {mode:o}", f"chmod 700 {folder}")
    if not os.access(folder, os.W_OK | os.X_OK):
        return Diagnosis("permissions", Verdict.FAULT, f"{folder} cannot be written", f"chown it to uid {os.getuid()}")
    return Diagnosis("permissions", Verdict.WELL, f"{folder} is for its owner alone")


def _disk(workspace: Workspace) -> Diagnosis:
    alerts = workspace.project.alerts
    used = disk_usage(workspace.store.folder)
    free = 100 * used.free / used.total
    seen = f"{free:.0f} % free, {used.free / 2**30:.1f} GiB"
    if free < (alerts.disk_free if alerts else LITTLE_SPACE):
        return Diagnosis("disk", Verdict.FAULT, seen, "Make room, or write `retention:` into reconciler.yaml.")
    return Diagnosis("disk", Verdict.WELL, seen)


def _applied(workspace: Workspace) -> Diagnosis:
    with workspace.store.read() as connection:
        revision = configuration.current_revision(connection)
    if revision == 0:
        return Diagnosis("applied", Verdict.FAULT, "nothing was applied yet", "reconciler apply")
    return Diagnosis("applied", Verdict.WELL, f"revision {revision}")


def _ports(workspace: Workspace) -> Iterator[Diagnosis]:
    gateway = workspace.project.gateway
    listeners = [("SFTP port", gateway.sftp.listen), ("HTTP port", gateway.http.listen)]
    if gateway.metrics is not None:
        listeners.append(("metrics port", gateway.metrics.listen))
    for name, listen in listeners:
        yield _port(name, listen)


def _port(name: str, listen: Listen) -> Diagnosis:
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    try:
        socket.create_server((listen.host, listen.port), family=family).close()
    except OSError as error:
        try:
            answered = _greeting(listen)
        except OSError:
            mend = "Choose another address or port in reconciler.yaml, or give the right to ports below 1024."
            return Diagnosis(name, Verdict.FAULT, f"{listen}: {error.strerror or error}", mend)
        if answered:
            return Diagnosis(name, Verdict.WELL, f"{listen}: {answered}")
        mend = f"Find out who it is: ss -ltnp 'sport = :{listen.port}'"
        return Diagnosis(name, Verdict.FAULT, f"{listen}: another program has it", mend)
    return Diagnosis(name, Verdict.WELL, f"{listen}: free; no gateway runs here now")


def _greeting(listen: Listen) -> str:
    """Return what answers as a gateway does, or an empty text. Raises OSError when nobody does."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listen.host, listen.host)  # noqa: S104 - translated, not bound
    with socket.create_connection((host, listen.port), timeout=PATIENCE) as connection:
        connection.settimeout(1.0)
        try:
            if connection.recv(8).startswith(b"SSH-2.0-"):
                return "an SSH server answers"
        except TimeoutError:
            connection.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
            connection.settimeout(PATIENCE)
            if b"alive" in connection.recv(4096) + connection.recv(4096):
                return "the gateway answers"
    return ""


def _names(workspace: Workspace) -> Iterator[Diagnosis]:
    gateway = workspace.project.gateway
    public = urlsplit(gateway.http.public_url or "").hostname
    for what, host in (("gateway.sftp.public_host", gateway.sftp.public_host), ("gateway.http.public_url", public)):
        if host:
            yield _tried(f"DNS of {what}", partial(_resolved, host), f"Give {host} an address, or mend {what}.")


def _resolved(host: str) -> str:
    found = sorted({str(info[4][0]) for info in socket.getaddrinfo(host, None, proto=socket.IPPROTO_TCP)})
    return f"{host} is {', '.join(found)}"


def _clock(workspace: Workspace) -> Diagnosis:
    with workspace.store.read() as connection:
        there = Moment().process_result_value(connection.execute(select(NOW)).scalar_one(), connection.dialect)
        newest = configuration.headers(connection, limit=1)
    now = datetime.now(UTC)
    apart = abs(there - now) if there is not None else timedelta()
    if apart > APART:
        return Diagnosis("clock", Verdict.FAULT, f"it and the database's are {apart} apart", NTP)
    if newest and newest[0].applied_at > now + APART:
        return Diagnosis("clock", Verdict.FAULT, f"it is behind revision {newest[0].number}, which is applied", NTP)
    return Diagnosis("clock", Verdict.WELL, f"{now:%Y-%m-%d %H:%M:%S} UTC")


def _mail(workspace: Workspace) -> Iterator[Diagnosis]:
    smtp, root = workspace.project.gateway.smtp, workspace.project.root
    if smtp is None:
        return
    password = smtp.password

    def greet() -> str:
        secret = read_secret(password, root, os.environ) if password else None
        try:
            return mail_server(smtp.url, smtp.sender, secret).greet()
        except OSError as error:
            place = urlsplit(smtp.url).netloc.rpartition("@")[2]
            raise ReconcilerError(f"{place} does not answer: {error.strerror or error}") from None

    yield _tried("SMTP", greet, "Check gateway.smtp in reconciler.yaml, and that the mail server lets this host in.")
    yield _tried(
        "mail templates",
        lambda: "they can be filled" if mail_sender(workspace.project.gateway, root) else "",
        "Mend the template, or take it away: the built-in one is used then.",
    )


def _sign_in(workspace: Workspace) -> Iterator[Diagnosis]:
    oidc, settings = workspace.project.gateway.oidc, workspace.project.alerts
    if oidc is not None:
        yield _tried("OpenID provider", lambda: Provider(oidc, None, "").check(), "Check gateway.oidc.issuer.")
    if settings is not None:
        url_count, root = len(settings.urls), workspace.project.root

        def known() -> str:
            channels(settings, root)
            return f"{url_count} channels"

        yield _tried("alerts", known, "Check alerts.urls in reconciler.yaml, and where its secrets are.")


def _certificates(workspace: Workspace) -> Iterator[Diagnosis]:
    directory = Directory(workspace.store)
    snapshot, now = directory.current(), datetime.now(UTC)
    for certificate in lasting(snapshot, directory.content):
        mailbox = snapshot.keys.get(certificate.mailbox, certificate.mailbox)
        left = certificate.ends - now
        what, seen = f"certificate of {mailbox}, {certificate.whose}", f"until {certificate.ends:%Y-%m-%d}"
        mend = "Declare the next one: the partner's below recipient.certificates, ours by certificate_generation."
        if left < SOON:
            yield Diagnosis(what, Verdict.SOON if left > timedelta() else Verdict.FAULT, seen, mend)
        else:
            yield Diagnosis(what, Verdict.WELL, seen)


def _partners(workspace: Workspace) -> Iterator[Diagnosis]:
    """Reach each partner's server once, and look at its clock by the way."""
    snapshot = Directory(workspace.store).current()
    urls: dict[str, str] = {}
    for key, integration in snapshot.state.of(Integration):
        if integration.protocol == as2.NAME and integration.enabled:
            recipient = as2.As2Settings.model_validate(integration.settings).recipient
            if recipient is not None:
                urls.setdefault(recipient.url, str(key.owner))
    for url, mailbox in urls.items():
        yield _tried(
            f"partner of {mailbox}",
            partial(_reached, url),
            "Ask the partner whether its server runs, and whether a firewall between lets this host through.",
        )


def _reached(url: str) -> str:
    """Return what is seen of a partner's server. Raises ReconcilerError when it is silent, or its clock is another."""
    try:
        # Nothing is told; whether its certificate is taken is decided when something is.
        response = httpx.head(url, timeout=PATIENCE, trust_env=False, verify=False)  # noqa: S501 - see above
    except httpx.HTTPError as error:
        seen = re.sub(r"^\[Errno -?\d+\] ", "", str(error))
        raise ReconcilerError(f"{url} does not answer: {seen}") from None
    if "Date" in response.headers:
        apart = abs(parsedate_to_datetime(response.headers["Date"]) - datetime.now(UTC))
        if apart > APART:
            raise ReconcilerError(f"its clock and this machine's are {apart} apart. {NTP}")
    return f"{url} answers"


def _dead_letters(workspace: Workspace) -> Iterator[Diagnosis]:
    with workspace.store.read() as connection:
        dead = alerts.dead_letters(connection)
    for kind, count, _, error in dead:
        yield Diagnosis(f"{kind} jobs", Verdict.FAULT, f"{count} given up; the newest: {error}", "reconciler job list")
