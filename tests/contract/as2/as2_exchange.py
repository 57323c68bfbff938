"""GLOBEX posts to ACME, in memory."""

from datetime import UTC, datetime
from typing import Any

from reconciler.protocols.as2.building import build_message, expectation
from reconciler.protocols.as2.mdn import check_mdn
from reconciler.protocols.as2.mime import Entity
from reconciler.protocols.as2.ports import Answer, MdnOutcome, MdnVerdict, Post
from reconciler.protocols.as2.reception import Reception
from tests.contract.as2.as2_world import MemoryIntake, World

BINARY = b"UNA:+.? '\nUNB+UNOC:3\r\nFTX\rA\x00\xff\xfe--=_\r\n\r\n\n\r"
POST = Post(message_id="7@globex", payload=BINARY, file_name="ORDERS.edi", content_type="application/edifact")
LIMIT = 1024 * 1024

Settings = dict[str, Any]


class Exchange:
    """GLOBEX posts to ACME, in memory."""

    def __init__(self, world: World, intake: MemoryIntake) -> None:
        self.world = world
        self.intake = intake
        self.reception = Reception(intake, world.content, limit=LIMIT)
        self.configure()

    def configure(self, **settings: Any) -> None:  # noqa: ANN401 - any setting
        """Set what ACME demands."""
        self.reception.configure([self.world.partner(**settings)])

    def message(self, settings: Settings | None = None, post: Post = POST) -> Entity:
        """Return what GLOBEX posts, with the settings of its own side."""
        relation = self.world.relation(own="globex", other="acme", settings=settings)
        return build_message(relation, post, now=datetime.now(UTC), async_mdn_url="https://globex.example/mdn")

    def post(self, entity: Entity, mailbox: str | None = None) -> Answer:
        """Return what ACME answers."""
        return self.reception.take(mailbox, entity.headers.items(), entity.body)

    def verdict(self, answer: Answer, settings: Settings | None = None, post: Post = POST) -> MdnVerdict:
        """Return what the answer proves to GLOBEX."""
        relation = self.world.relation(own="globex", other="acme", settings=settings)
        expected = expectation(relation, post)
        return check_mdn(expected, answer.headers, answer.body, relation.certificates, now=datetime.now(UTC))

    def refusal(self, entity: Entity) -> str:
        """Return the disposition of the signed MDN that refuses a message; nothing was committed."""
        verdict = self.verdict(self.post(entity))
        assert verdict.outcome is MdnOutcome.REJECTED, verdict
        assert self.intake.received == []
        return verdict.disposition.partition("; ")[2]


def with_header(entity: Entity, name: str, value: str | None) -> Entity:
    headers = [item for item in entity.headers.items() if item[0] != name]
    return Entity.of([*headers, (name, value)] if value is not None else headers, entity.body)
