"""What the gateway makes of each thing that the simulated partner does."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconciler.protocols.as2.ports import DeliveryError, MdnOutcome, Post
from reconciler.protocols.as2.sender import Sender, expect
from reconciler.protocols.as2.simulator import Behaviour, Simulator
from tests.contract.as2.as2_world import MemoryIntake, World
from tests.contract.as2.conftest import Gateway

POST = Post(message_id="7@acme", payload=b"UNB\r\n\x00\n", file_name="a.edi")
Simulate = Callable[..., Simulator]


@pytest.fixture
def simulate(world: World, tmp_path: Path) -> Iterator[Simulate]:
    started: list[Simulator] = []

    def start(*behaviours: Behaviour) -> Simulator:
        simulator = Simulator(
            name="GLOBEX",
            gateway="ACME",
            gateway_certificate=(world.folder / "acme.pem").read_bytes(),
            key=(world.folder / "globex.key").read_bytes(),
            certificate=(world.folder / "globex.pem").read_bytes(),
            behaviours=behaviours,
            folder=tmp_path,
            delay=0.2,
        )
        simulator.start()
        started.append(simulator)
        return simulator

    yield start
    for simulator in started:
        simulator.stop()


@pytest.mark.parametrize(
    ("behaviour", "outcome"),
    [
        (Behaviour.CONFIRM, MdnOutcome.CONFIRMED),
        (Behaviour.LATE, MdnOutcome.CONFIRMED),
        (Behaviour.DOUBLE, MdnOutcome.CONFIRMED),
        (Behaviour.REFUSE, MdnOutcome.REJECTED),
        (Behaviour.NO_MDN, MdnOutcome.DOUBTFUL),
        (Behaviour.WRONG_MIC, MdnOutcome.DOUBTFUL),
        (Behaviour.FORGED, MdnOutcome.DOUBTFUL),
        (Behaviour.UNSIGNED, MdnOutcome.DOUBTFUL),
        (Behaviour.ZERO_SIGNER, MdnOutcome.DOUBTFUL),
        (Behaviour.OTHER_CERTIFICATE, MdnOutcome.DOUBTFUL),
    ],
)
def test_only_a_genuine_mdn_is_believed(
    world: World, sender: Sender, simulate: Simulate, behaviour: Behaviour, outcome: MdnOutcome, tmp_path: Path
) -> None:
    sent = sender.post(world.partner(simulate(behaviour).url), POST)
    assert sent.mdn is not None
    assert sent.mdn.outcome is outcome, sent.mdn
    assert (tmp_path / "a.edi").read_bytes() == POST.payload


@pytest.mark.parametrize("behaviour", [Behaviour.UNAVAILABLE, Behaviour.TIMEOUT, Behaviour.RESET])
def test_what_does_not_come_through_is_tried_again(world: World, simulate: Simulate, behaviour: Behaviour) -> None:
    simulator = simulate(behaviour, Behaviour.CONFIRM)
    sender = Sender(world.content, timeout=0.5 if behaviour is Behaviour.TIMEOUT else 60)
    partner = world.partner(simulator.url)
    with pytest.raises(DeliveryError) as failed:
        sender.post(partner, POST)
    assert failed.value.retryable
    assert failed.value.wire is not None
    sent = sender.post(partner, POST)
    sender.close()
    assert sent.mdn is not None
    assert sent.mdn.outcome is MdnOutcome.CONFIRMED
    assert simulator.behaviours == [behaviour, Behaviour.CONFIRM]


@pytest.mark.parametrize(
    ("behaviour", "outcomes"),
    [
        (Behaviour.LATE, [MdnOutcome.CONFIRMED]),
        (Behaviour.FORGED, [MdnOutcome.DOUBTFUL]),
        (Behaviour.DOUBLE, [MdnOutcome.CONFIRMED, MdnOutcome.CONFIRMED]),
    ],
)
def test_asynchronous_mdns(
    world: World,
    gateway: Gateway,
    intake: MemoryIntake,
    simulate: Simulate,
    behaviour: Behaviour,
    outcomes: list[MdnOutcome],
) -> None:
    partner = world.partner(simulate(behaviour).url, mdn="async")
    gateway.endpoint.configure([partner])
    intake.expected[POST.message_id] = expect(partner, POST, content=world.content)
    sender = Sender(world.content, async_mdn_url=gateway.url)
    assert sender.post(partner, POST).mdn is None
    sender.close()
    while len(intake.settled) < len(outcomes):
        intake.was_settled.clear()
        if len(intake.settled) < len(outcomes):
            assert intake.was_settled.wait(60)
    assert [verdict.outcome for _, verdict in intake.settled] == outcomes
