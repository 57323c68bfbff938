"""Whatever a known partner's name is put on: an answer, and nothing committed that was not signed."""

import random
from datetime import UTC, datetime
from uuid import uuid4

from reconciler.protocols.as2.building import build_message
from reconciler.protocols.as2.mdn import check_mdn
from reconciler.protocols.as2.mime import Entity
from reconciler.protocols.as2.ports import Expectation, MdnOutcome, Post
from reconciler.protocols.as2.reception import Reception
from tests.contract.as2.as2_world import MemoryIntake, World
from tests.contract.as2.spoiling import spoilt

ROUNDS = 50  # tests/contract/as2/test_as2_fuzz_endpoint.py has thousands
POST = Post(message_id="7@globex", payload=b"UNB+UNOC:3'\r\nUNZ+1'\r\n", file_name="a.edi")


def test_spoilt_messages_are_answered_and_never_taken_for_others(world: World) -> None:
    source = random.Random(7)
    theirs = world.relation(own="globex", other="acme")
    plain = world.relation(own="globex", other="acme", settings={"encryption": "none"})
    for relation, demanded in ((theirs, "aes256-cbc"), (plain, "none")):
        intake = MemoryIntake()
        reception = Reception(intake, world.content, limit=10**6)
        reception.configure([world.partner(encryption=demanded)])
        message = build_message(relation, POST, now=datetime.now(UTC))
        for _ in range(ROUNDS):
            body = spoilt(source, bytes(message.body))
            assert reception.take(None, message.headers.items(), body).status == 200
        assert {received.payload for received in intake.received} <= {POST.payload}


def test_spoilt_mdns_confirm_nothing_else(world: World) -> None:
    source = random.Random(8)
    intake = MemoryIntake()
    reception = Reception(intake, world.content, limit=10**6)
    reception.configure([world.partner()])
    message = build_message(world.relation(own="globex", other="acme"), POST, now=datetime.now(UTC))
    answer = reception.take(None, message.headers.items(), message.body)
    other = Expectation(mailbox=uuid4(), message_id="7@globex", mic="b3RoZXI=", mic_algorithm="sha256")
    certificates = world.relation(own="globex", other="acme").certificates
    for _ in range(ROUNDS):
        headers = Entity.of(answer.headers.items(), b"").headers
        verdict = check_mdn(
            other, dict(headers.items()), spoilt(source, answer.body), certificates, now=datetime.now(UTC)
        )
        assert verdict.outcome is MdnOutcome.DOUBTFUL
