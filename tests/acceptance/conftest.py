"""The gateway of an acceptance test, applied and running."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.running_gateway import RunningGateway


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[RunningGateway]:
    running = RunningGateway(tmp_path / "quickstart")
    try:
        running.apply()
        running.start()
        yield running
    finally:
        running.close()
