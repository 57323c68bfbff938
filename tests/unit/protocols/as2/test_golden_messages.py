"""Messages and MDNs as they stood on the wire: see tests/cases/as2/README.md."""

import shutil
from datetime import UTC, datetime
from email.parser import HeaderParser
from pathlib import Path
from uuid import uuid4

import pytest

from reconciler.protocols.as2.mdn import check_mdn
from reconciler.protocols.as2.ports import Expectation, MdnOutcome
from reconciler.protocols.as2.reception import Reception
from tests.contract.as2.as2_world import MemoryIntake, World

CASES = Path(__file__).parents[3] / "cases" / "as2"
THEN = datetime(2026, 12, 1, tzinfo=UTC)

CONFIRMED, REJECTED, DOUBTFUL = MdnOutcome.CONFIRMED, MdnOutcome.REJECTED, MdnOutcome.DOUBTFUL
OUTCOMES = {
    "processed": (CONFIRMED, "has what we sent"),
    "processed-in-lf": (CONFIRMED, "has what we sent"),
    "pyas2lib-processed": (CONFIRMED, "has what we sent"),
    "pyas2lib-insufficient-security": (REJECTED, "insufficient-message-security"),
    "wrong-mic": (DOUBTFUL, "the MIC is not that of what we sent"),
    "forged": (DOUBTFUL, "the content is not what was signed"),
    "unsigned": (DOUBTFUL, "not signed"),
    "zero-signer": (DOUBTFUL, "nobody signed"),
    "other-certificate": (DOUBTFUL, "none of the declared certificates"),
}


@pytest.fixture(scope="session")
def golden(world: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("golden")
    for source in (world.folder, CASES / "keys"):
        shutil.copytree(source, folder, dirs_exist_ok=True)
    return World(folder)


def read(path: Path) -> tuple[list[tuple[str, str]], bytes]:
    head, _, body = path.read_bytes().partition(b"\r\n\r\n")
    return list(HeaderParser().parsestr(head.decode()).items()), body


@pytest.mark.parametrize("path", sorted((CASES / "messages").iterdir()), ids=lambda path: path.stem)
def test_messages(golden: World, path: Path) -> None:
    intake = MemoryIntake()
    reception = Reception(intake, golden.content, limit=10**6, clock=lambda: THEN)
    reception.configure([golden.partner()])
    answer = reception.take(None, *read(path))
    assert answer.status == 200
    assert [received.payload for received in intake.received] == [(CASES / "payload").read_bytes()], intake.refusals()
    assert intake.received[0].file_name == "ORDERS.edi"


@pytest.mark.parametrize("path", sorted((CASES / "mdns").iterdir()), ids=lambda path: path.stem)
def test_mdns(golden: World, path: Path) -> None:
    mic = (CASES / "mic").read_text().strip()
    expected = Expectation(mailbox=uuid4(), message_id="7@acme", mic=mic, mic_algorithm="sha256")
    headers, body = read(path)
    verdict = check_mdn(expected, dict(headers), body, golden.relation().certificates, now=THEN)
    outcome, reason = OUTCOMES[path.stem]
    assert verdict.outcome is outcome, verdict
    assert reason in verdict.reason
