"""10,000 spoilt messages and MDNs: no 5xx, nothing taken for what it is not, and no memory kept."""

import random
import resource
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import anyio

from reconciler.protocols.as2 import smime
from reconciler.protocols.as2.building import build_message
from reconciler.protocols.as2.endpoint import As2Endpoint
from reconciler.protocols.as2.mime import Entity
from reconciler.protocols.as2.ports import Answer, Expectation, MdnOutcome, Post, Received
from reconciler.protocols.as2.reception import Reception
from tests.contract.as2.as2_world import MemoryIntake, World
from tests.contract.as2.spoiling import spoilt

ROUNDS = 5000
PAYLOAD = b"UNB+UNOC:3'\r\nUNZ+1'\r\n"
POST = Post(message_id="7@globex", payload=PAYLOAD, file_name="a.edi")
MOST_MEMORY = 64 * 1024 * 1024
WORDS = (
    "",
    "\t",
    '"',
    "ACME",
    "GLOBEX",
    "x" * 5000,
    "multipart/signed",
    "multipart/report; boundary=",
    "base64",
    "é",
    "%00",
)

Request = tuple[dict[str, str], bytes]


def respoken(source: random.Random, headers: dict[str, str]) -> dict[str, str]:
    """Return headers, some of which are left out, cut off, exchanged or nonsense."""
    found = dict(headers)
    for _ in range(source.randrange(3)):
        name = source.choice(sorted(found))
        match source.randrange(4):
            case 0:
                del found[name]
            case 1:
                found[name] = found[name][: source.randrange(len(found[name]) or 1)]
            case 2:
                found[name] = source.choice(sorted(found.values()))
            case _:
                found[name] = source.choice(WORDS)
        if not found:
            break
    return found


class Memoryless(MemoryIntake):
    """An intake that remembers no more than what must not happen."""

    def receive(self, received: Received) -> Answer:
        assert received.payload == PAYLOAD or received.message_id != "7@globex", received
        self.received[:] = [received]
        return received.mdn

    def note(self, incoming: object) -> None:
        del incoming


async def statuses(app: Any, requests: Iterator[Request]) -> list[int]:  # noqa: ANN401 - an ASGI application
    found: list[int] = []

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            found.append(message["status"])

    for headers, body in requests:
        raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
        scope = {"type": "http", "method": "POST", "path": "/as2", "headers": raw, "query_string": b""}
        given = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def receive(given: Iterator[dict[str, Any]] = given) -> dict[str, Any]:
            return next(given, {"type": "http.disconnect"})

        await app(scope, receive, send)
    return found


def grown(act: Callable[[], None]) -> int:
    """Return by how many bytes the memory of this process grew at the most."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    act()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024


def test_spoilt_messages(world: World) -> None:
    source = random.Random(7)
    relations = [
        world.relation(own="globex", other="acme", settings=settings)
        for settings in ({}, {"encryption": "none"}, {"compression": True}, {"quirks": ["opaque-signature"]})
    ]
    messages = [build_message(relation, POST, now=datetime.now(UTC)) for relation in relations]
    acme = world.relation().identities[0].certificate
    intake = Memoryless()
    endpoint = As2Endpoint(intake, world.content, largest_body=10**6)
    endpoint.configure([world.partner(inbound={"encrypted": False})])

    def requests() -> Iterator[Request]:
        signed = bytes(messages[1].raw)
        for number in range(ROUNDS):
            message = messages[number % len(messages)]
            headers, body = dict(message.headers.items()), bytes(message.body)
            if number % 5 == 0:
                # Spoilt before it is encrypted, so that what is inside is read too.
                inner = smime.encrypt(Entity.parse(spoilt(source, signed)), acme, "aes128-cbc")
                yield {**headers, **dict(inner.headers.items())}, bytes(inner.body)
            elif number % 5 == 1:
                yield respoken(source, headers), body
            else:
                yield headers, spoilt(source, body)

    found: list[int] = []
    assert grown(lambda: found.extend(anyio.run(statuses, endpoint.app, requests()))) < MOST_MEMORY
    assert len(found) == ROUNDS
    assert {status for status in found if status >= 500} == set()


def test_spoilt_mdns(world: World) -> None:
    """The MDNs are genuine but for their MIC, so that none of them may ever confirm, whatever is done to it."""
    source = random.Random(8)
    intake = Memoryless()
    theirs = Reception(intake, world.content, limit=10**6)
    theirs.configure([world.partner(own="globex", other="acme")])
    ours = world.relation(settings={"mdn": "async"})
    message = build_message(
        ours, replace(POST, message_id="8@acme"), now=datetime.now(UTC), async_mdn_url="https://a.example/"
    )
    theirs.take(None, message.headers.items(), message.body)
    mdn = intake.received[0].mdn
    intake.expected["8@acme"] = Expectation(
        mailbox=world.mailbox, message_id="8@acme", mic="b3RoZXI=", mic_algorithm="sha256"
    )
    endpoint = As2Endpoint(intake, world.content, largest_body=10**6)
    endpoint.configure([world.partner()])

    def requests() -> Iterator[Request]:
        for number in range(ROUNDS):
            headers = dict(mdn.headers)
            yield (respoken(source, headers), mdn.body) if number % 4 == 0 else (headers, spoilt(source, mdn.body))

    found: list[int] = []
    assert grown(lambda: found.extend(anyio.run(statuses, endpoint.app, requests()))) < MOST_MEMORY
    assert {status for status in found if status >= 500} == set()
    assert len(intake.settled) > ROUNDS // 4
    assert MdnOutcome.CONFIRMED not in {verdict.outcome for _, verdict in intake.settled}
