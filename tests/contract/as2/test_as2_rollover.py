"""A thousand messages while every certificate changes: no minute in common, and no failure."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

from reconciler.protocols.as2.building import build_message, expectation
from reconciler.protocols.as2.mdn import check_mdn
from reconciler.protocols.as2.ports import MdnOutcome, Post
from reconciler.protocols.as2.reception import Reception
from reconciler.protocols.as2.relation import Relation
from tests.contract.as2.as2_exchange import LIMIT
from tests.contract.as2.as2_world import MemoryIntake, World

MOMENTS = (200, 300, 450, 600)
"""After how many messages one of both changes something."""


def test_a_thousand_messages_while_every_certificate_changes(world: World) -> None:
    """ACME and GLOBEX change their keys at moments of their own; the other side has both certificates."""
    intake = MemoryIntake()
    reception = Reception(intake, world.content, limit=LIMIT)
    old, new = world.pair("acme"), world.pair("mallory")
    for first, last in pairwise((0, *MOMENTS, 1000)):
        acme_keys = (old,) if first < 300 else (new, old)
        acme = replace(world.partner(reach=world.declared("globex", "initech")), credentials={"certificate": acme_keys})
        reception.configure([acme])
        globex = replace(
            world.partner(own="globex", other="acme", reach=world.declared(*declared(first))),
            credentials={"certificate": (world.pair("initech" if first >= 600 else "globex"),)},
        )
        relation = Relation(globex, world.content)
        for number in range(first, last):
            confirm(reception, relation, f"{number}@globex")
    assert len(intake.received) == 1000


def declared(number: int) -> tuple[str, ...]:
    """GLOBEX learns the new certificate early, and encrypts for it from some later moment on."""
    if number < 200:
        return ("acme",)
    return ("acme", "mallory") if number < 450 else ("mallory", "acme")


def confirm(reception: Reception, relation: Relation, message_id: str) -> None:
    now = datetime.now(UTC)
    post = Post(message_id=message_id, payload=b"UNB", file_name="a.edi")
    message = build_message(relation, post, now=now)
    answer = reception.take(None, message.headers.items(), bytes(message.body))
    verdict = check_mdn(
        expectation(relation, post), answer.headers, answer.body, relation.certificates_to_verify(now), now=now
    )
    assert verdict.outcome is MdnOutcome.CONFIRMED, (message_id, verdict)
