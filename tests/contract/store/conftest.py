"""A store on each database that there is."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconciler.store.database import Store
from tests.postgresql import PostgresqlServer, running_postgresql


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlServer]:
    with running_postgresql() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of a database that is empty."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'state.db'}"
    server: PostgresqlServer = request.getfixturevalue("postgresql")
    return server.database()


Opener = Callable[[], Store]


@pytest.fixture
def open_store(url: str, tmp_path: Path) -> Iterator[Opener]:
    """Return what opens the store as another process of the same node would."""
    opened: list[Store] = []

    def opener() -> Store:
        opened.append(Store(tmp_path, url))
        return opened[-1]

    yield opener
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: Opener) -> Store:
    return open_store()
