"""What AS2 tests exchange messages with: two companies with keys, and an intake in memory."""

import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from reconciler.model.credential import Secret
from reconciler.model.key import Key
from reconciler.model.source_file import SourceFile, digest
from reconciler.protocols.as2.peer import new_key
from reconciler.protocols.as2.ports import Answer, Expectation, Incoming, MdnVerdict, Outcome, Received
from reconciler.protocols.as2.relation import Relation
from reconciler.protocols.as2.settings import As2Settings, Recipient
from reconciler.protocols.protocol import LiveCredential, Partner


@dataclass
class MemoryIntake:
    """An intake that keeps everything in memory."""

    received: list[Received] = field(default_factory=list)
    answers: dict[tuple[str, str, str], Answer] = field(default_factory=dict)
    expected: dict[str, Expectation] = field(default_factory=dict)
    settled: list[tuple[str, MdnVerdict]] = field(default_factory=list)
    noted: list[Incoming] = field(default_factory=list)
    to_post: list[tuple[str, Answer]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    was_settled: threading.Event = field(default_factory=threading.Event)

    def stored_answer(self, *, as2_from: str, as2_to: str, message_id: str) -> Answer | None:
        return self.answers.get((as2_from, as2_to, message_id))

    def receive(self, received: Received) -> Answer:
        with self.lock:
            key = (received.as2_from, received.as2_to, received.message_id)
            if key not in self.answers:
                self.answers[key] = received.mdn
                self.received.append(received)
                if received.async_mdn_url is not None:
                    self.to_post.append((received.async_mdn_url, received.mdn))
            return self.answers[key]

    def note(self, incoming: Incoming) -> None:
        self.noted.append(incoming)
        if incoming.async_mdn_url is not None:
            self.to_post.append((incoming.async_mdn_url, incoming.mdn))

    def refusals(self) -> list[str]:
        """Return why messages were refused."""
        return [each.reason for each in self.noted if each.outcome is Outcome.REFUSED]

    def expectation(self, message_id: str) -> Expectation | None:
        return self.expected.get(message_id)

    def settle(self, message_id: str, verdict: MdnVerdict, incoming: Incoming) -> None:
        self.settled.append((message_id, verdict))
        self.was_settled.set()


@dataclass
class World:
    """Keys and certificates of the gateway (ACME), of its partner (GLOBEX) and of nobody's partners (the others).

    They are made where the folder does not have them.
    """

    folder: Path
    files: dict[str, bytes] = field(default_factory=dict)
    mailbox: UUID = field(default_factory=uuid4)

    def __post_init__(self) -> None:
        for name in ("acme", "globex", "initech", "mallory"):
            if (self.folder / f"{name}.key").exists():
                continue
            key, certificate = new_key(name)
            (self.folder / f"{name}.key").write_bytes(key)
            (self.folder / f"{name}.pem").write_bytes(certificate)

    def content(self, sha256: str) -> bytes:
        return self.files[sha256]

    def source(self, name: str) -> SourceFile:
        """Return a file of the folder as the configuration names it."""
        content = (self.folder / name).read_bytes()
        self.files[digest(content)] = content
        return SourceFile(name=name, sha256=digest(content))

    def declared(self, *names: str) -> dict[str, Any]:
        """Return a partner's certificates in files of these names, as its declaration has them."""
        return {"certificates": [self.source(f"{name}.pem") for name in names]}

    def pair(self, name: str) -> LiveCredential:
        """Return the key pair in files of a name."""
        return LiveCredential(
            fingerprint=name,
            reveal=lambda: Secret((self.folder / f"{name}.key").read_text()),
            public=(self.folder / f"{name}.pem").read_text(),
        )

    def partner(
        self,
        url: str = "http://127.0.0.1:9/as2",
        *,
        own: str = "acme",
        other: str = "globex",
        reach: dict[str, Any] | None = None,
        **settings: object,
    ) -> Partner:
        """Return the integration of the gateway's mailbox with GLOBEX, reached at a URL; or the other way round."""
        source = self.source(f"{other}.pem")
        recipient = Recipient.model_validate(
            {"id": other.upper(), "url": url, "allow_private": True, "certificates": [source], **(reach or {})}
        )
        section = As2Settings.model_validate({"self_id": own.upper(), "recipient": recipient, **settings})
        credentials = {"certificate": (self.pair(own),)}
        if (self.folder / f"{own}-ec.key").exists():
            credentials["signing-certificate"] = (self.pair(f"{own}-ec"),)
        return Partner(
            mailbox=self.mailbox,
            key=Key.parse(f"accounts.{own}.mailboxes.invoices"),
            settings=section.model_dump(mode="json"),
            credentials=credentials,
        )

    def relation(self, *, own: str = "acme", other: str = "globex", settings: dict[str, Any] | None = None) -> Relation:
        """Return what `partner` describes, read."""
        return Relation(self.partner(own=own, other=other, **(settings or {})), self.content)

    def peer_command(self, *arguments: str) -> list[str]:
        """Return the command that runs GLOBEX."""
        at = self.folder
        identity = ["--id", "GLOBEX", "--key", f"{at}/globex.key", "--certificate", f"{at}/globex.pem"]
        gateway = ["--gateway-id", "ACME", "--gateway-certificate", f"{at}/acme.pem"]
        return [sys.executable, "-m", "reconciler.protocols.as2.peer", *identity, *gateway, *arguments]
