"""ACME, which receives, and GLOBEX, which sends: as the gateway knows them, and as pyas2lib does."""

from uuid import uuid4

from reconciler.model.credential import Secret
from reconciler.model.key import Key
from reconciler.model.source_file import SourceFile, digest
from reconciler.protocols.as2.library import Organization
from reconciler.protocols.as2.library import Partner as LibraryPartner
from reconciler.protocols.as2.peer import new_key, partner
from reconciler.protocols.as2.ports import Answer, Expectation, Incoming, MdnVerdict, Received
from reconciler.protocols.protocol import LiveCredential, Partner


class Company:
    """A name and a key pair."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.key, self.certificate = new_key(name)

    def partner(self, other: "Company", **settings: object) -> Partner:
        """Return this company's integration with another one, as the gateway has it."""
        credential = LiveCredential(self.name, lambda: Secret(self.key.decode()), public=self.certificate.decode())
        file = SourceFile(name=f"{other.name}.pem", sha256=digest(other.certificate))
        recipient = {
            "id": other.name,
            "url": "http://127.0.0.1:9/as2",
            "allow_private": True,
            "certificates": [{"file": file.model_dump(mode="json")}],
        }
        return Partner(
            mailbox=uuid4(),
            key=Key.parse(f"accounts.{self.name.lower()}.mailboxes.as2"),
            settings={"self_id": self.name, "recipient": recipient, **settings},  # type: ignore[dict-item]  # JSON
            credentials={"certificate": (credential,)},
        )

    def in_library(self) -> Organization:
        pair = self.key + b"\n" + self.certificate
        return Organization(as2_name=self.name, sign_key=pair, decrypt_key=pair, domain="bench.invalid")

    def for_library(self) -> LibraryPartner:
        return partner(self.name, self.certificate)


class Forgetful:
    """An intake that takes everything and keeps nothing, so that protocol work alone is measured."""

    def __init__(self) -> None:
        self.taken = 0

    def stored_answer(self, *, as2_from: str, as2_to: str, message_id: str) -> Answer | None:
        del as2_from, as2_to, message_id

    def receive(self, received: Received) -> Answer:
        self.taken += len(received.payload)
        return received.mdn

    def note(self, incoming: Incoming) -> None:
        raise AssertionError(incoming.reason)

    def expectation(self, message_id: str) -> Expectation | None:
        del message_id

    def settle(self, message_id: str, verdict: MdnVerdict, incoming: Incoming) -> None:
        del message_id, verdict, incoming
