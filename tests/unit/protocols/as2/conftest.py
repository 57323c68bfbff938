"""Two companies with keys."""

import pytest

from tests.contract.as2.as2_world import MemoryIntake, World


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("as2"))


@pytest.fixture
def intake() -> MemoryIntake:
    return MemoryIntake()
