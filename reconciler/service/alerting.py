"""Alerts: what needs an operator is told once, and again when there is more to tell or when it lasts."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from shutil import disk_usage

from reconciler.desired.operation import Alerts
from reconciler.desired.secret_reading import read_secret
from reconciler.jobs.directory import Directory
from reconciler.jobs.expiry import endings, lasting, step_before
from reconciler.notify.channels import Channels
from reconciler.store import alerts, conditions
from reconciler.store.alerts import Told
from reconciler.store.database import Store
from reconciler.web.access import ATTEMPTS, WINDOW
from reconciler.web.server_certificate import ServerCertificates

INTERVAL = timedelta(seconds=20)
"""How often it is looked."""

QUIET = timedelta(minutes=15)
"""For how long a concern that was told is not told again, however much it grows."""

BAN_WINDOW = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Concern:
    """Something that needs an operator. `mark` is another one when there is more to tell; some are told once a mark."""

    name: str
    mark: str
    text: str
    lasts: bool = True


def is_due(concern: Concern, told: Told | None, *, now: datetime, repeat: timedelta) -> bool:
    """Say whether operators are to be told now of what they know so much about."""
    if told is None:
        return True
    if told.mark != concern.mark:
        return not concern.lasts or now - told.at >= QUIET
    return concern.lasts and now - told.at >= repeat


class Alerting:
    """Looks and tells, for whoever is elected to. `certificates` are those of the HTTP listener."""

    def __init__(
        self,
        store: Store,
        directory: Directory,
        settings: Alerts,
        channels: Channels,
        certificates: ServerCertificates | None = None,
    ) -> None:
        self._store = store
        self._directory = directory
        self._settings = settings
        self._channels = channels
        self._certificates = certificates

    def look(self, now: datetime) -> int:
        """Tell of what is to be told, all in one message; return how many concerns that were."""
        self._channels.catch_up()
        found = {concern.name: concern for concern in self._concerns(now)}
        with self._store.read() as connection:
            known = alerts.told(connection)
        due = [
            concern
            for concern in found.values()
            if is_due(concern, known.get(concern.name), now=now, repeat=self._settings.repeat)
        ]
        over = known.keys() - found.keys()
        if due:
            title = due[0].text.partition(".")[0] if len(due) == 1 else f"{len(due)} things need an operator"
            if not self._channels.tell(f"Reconciler: {title}", "\n".join(f"- {concern.text}" for concern in due)):
                return 0
        if due or over:
            with self._store.write() as tx:
                alerts.remember(tx, {concern.name: concern.mark for concern in due}, over, now)
        return len(due)

    def _concerns(self, now: datetime) -> Iterator[Concern]:
        with self._store.read() as connection:
            dead = alerts.dead_letters(connection)
            failing = [item for item in conditions.all_of(connection) if item.type == "Healthy" and not item.status]
            peers = alerts.refused(connection, since=now - WINDOW, least=ATTEMPTS)
            banned = alerts.banned(connection, now=now, window=BAN_WINDOW)
        for kind, count, newest, error in dead:
            text = (
                f"{count} {kind} job{'s were' if count > 1 else ' was'} given up. The newest ({newest}): {error}. See: "
            )
            yield Concern(f"dead letters {kind}", str(newest), f"{text}reconciler job list")
        for item in failing:
            what = f"The watcher fails for {item.scope}" if item.scope else "The watcher fails"
            yield Concern(
                f"watcher {item.scope}", item.message[:500], f"{what}. {item.message}. See: reconciler status"
            )
        for peer, count in peers:
            yield Concern(
                f"sign-in {peer}", "", f"Sign-in attack from {peer}. {count} refused in {WINDOW.seconds // 60} minutes."
            )
        for subject, until in banned:
            text = f"Failed SFTP logins banned {subject} until {until:%Y-%m-%d %H:%M} UTC. See: reconciler ban list"
            yield Concern(f"ban {subject}", "", text)
        yield from self._endings(now)
        yield from self._listener(now)
        yield from self._disk()

    def _endings(self, now: datetime) -> Iterator[Concern]:
        snapshot = self._directory.current()
        for ending in endings(lasting(snapshot, self._directory.content), now):
            certificate = ending.certificate
            mailbox = snapshot.keys.get(certificate.mailbox, certificate.mailbox)
            text = f"A certificate ends on {certificate.ends:%Y-%m-%d}. {mailbox}: {certificate.whose}"
            name = f"certificate {certificate.mailbox} {certificate.fingerprint}"
            yield Concern(name, str(ending.step), text, lasts=False)

    def _listener(self, now: datetime) -> Iterator[Concern]:
        step = None if self._certificates is None else step_before(self._certificates.ends, now)
        if self._certificates is not None and step is not None:
            text = f"The TLS certificate of the HTTP listener ends on {self._certificates.ends:%Y-%m-%d}"
            yield Concern("certificate gateway.http", str(step), text, lasts=False)

    def _disk(self) -> Iterator[Concern]:
        used = disk_usage(self._store.folder)
        free = 100 * used.free / used.total
        if free < self._settings.disk_free:
            gib = used.free / 2**30
            yield Concern("disk", "", f"The disk fills. {free:.1f} % ({gib:.1f} GiB) of {self._store.folder} is free")


def channels(settings: Alerts, root: Path) -> Channels:
    """Return the channels of a configuration. Raises ReconcilerError when a URL cannot be read or is none."""
    return Channels([read_secret(url, root, os.environ) for url in settings.urls])
