"""`/readyz` says so within five seconds when the gateway cannot do its work, whatever is missing."""

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from reconciler.cli.examples import example
from reconciler.service.gateway import Gateway
from reconciler.service.workspace import Workspace

WITHIN = 5.0

pytestmark = pytest.mark.alone


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Run one in this process, so that its parts can be broken; the last test stops it."""
    folder = tmp_path_factory.mktemp("ready") / "project"
    shutil.copytree(example("quickstart"), folder)
    text = (folder / "reconciler.yaml").read_text()
    (folder / "reconciler.yaml").write_text(text.replace("127.0.0.1:2222", "127.0.0.1:0").replace(":8080", ":0"))
    workspace = Workspace.open(folder)
    desired = workspace.load()
    workspace.apply(workspace.plan(desired), desired, actor="ada")
    running = Gateway(workspace)
    running.start()
    yield running
    running.stop(2)
    workspace.close()


def url(gateway: Gateway) -> str:
    return "http://{}:{}".format(*gateway.http.address)


def ready(gateway: Gateway) -> int:
    began = time.monotonic()
    status = httpx.get(f"{url(gateway)}/readyz", trust_env=False, timeout=30).status_code
    assert time.monotonic() - began < WITHIN
    return status


def becomes(status: int, gateway: Gateway, within: float = WITHIN) -> None:
    deadline = time.monotonic() + within
    while (found := ready(gateway)) != status:
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


@pytest.fixture
def folder(gateway: Gateway) -> Path:
    return gateway._store.folder


def test_all_is_well(gateway: Gateway) -> None:
    assert ready(gateway) == 200
    assert httpx.get(f"{url(gateway)}/healthz", trust_env=False, timeout=60).text == "alive\n"


def test_a_database_that_cannot_be_written(gateway: Gateway, folder: Path) -> None:
    other = sqlite3.connect(folder / "state.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    becomes(503, gateway)
    alive = httpx.get(f"{url(gateway)}/healthz", trust_env=False, timeout=60)
    assert alive.status_code == 200  # it cannot work, but it lives
    other.rollback()
    other.close()
    becomes(200, gateway)


@pytest.mark.parametrize("part", ["spool", "blobs"])
def test_payloads_that_cannot_be_written(gateway: Gateway, folder: Path, part: str) -> None:
    (folder / part).rename(folder / f"{part}-away")
    (folder / part).write_text("a file where the folder was")
    becomes(503, gateway)
    (folder / part).unlink()
    (folder / f"{part}-away").rename(folder / part)
    becomes(200, gateway)


def broken(gateway: Gateway, part: str) -> Callable[[], object]:
    match part:
        case "SFTP listener":
            return lambda: gateway.sftp.stop(0)
        case "worker":
            return lambda: gateway._workers._lanes[0]._todo.put(None)  # ends one of its threads
        case _:
            return gateway._stopping.set


# In this order: what is broken here is not mended.
@pytest.mark.parametrize("part", ["worker", "SFTP listener", "the whole, which is being stopped"])
def test_a_part_that_has_ended(gateway: Gateway, part: str) -> None:
    broken(gateway, part)()
    becomes(503, gateway)
