"""A gateway with one AS2 partner on real loopback HTTP, and that partner as a process of other making."""

import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn

from reconciler.protocols.as2.endpoint import As2Endpoint
from reconciler.protocols.as2.sender import Sender
from tests.contract.as2.as2_world import MemoryIntake, World


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("as2"))


@pytest.fixture
def intake() -> MemoryIntake:
    return MemoryIntake()


@pytest.fixture
def sender(world: World) -> Iterator[Sender]:
    sender = Sender(world.content)
    yield sender
    sender.close()


@dataclass
class Gateway:
    """An endpoint that listens."""

    endpoint: As2Endpoint
    url: str
    stop: Callable[[], None]


@pytest.fixture
def gateway(world: World, intake: MemoryIntake) -> Iterator[Gateway]:
    endpoint = As2Endpoint(intake, world.content, largest_body=4 * 1024 * 1024)
    endpoint.configure([world.partner()])
    server = uvicorn.Server(uvicorn.Config(endpoint.app, host="127.0.0.1", port=0, log_level="warning", ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        thread.join(0.01)
        assert thread.is_alive()
    port = server.servers[0].sockets[0].getsockname()[1]

    def stop() -> None:
        server.should_exit = True
        thread.join()

    yield Gateway(endpoint, f"http://127.0.0.1:{port}/as2", stop)
    stop()


@dataclass
class RunningPeer:
    """GLOBEX, receiving into a folder."""

    url: str
    folder: Path


@pytest.fixture
def peer(world: World, tmp_path: Path) -> Iterator[RunningPeer]:
    command = world.peer_command("--listen", "127.0.0.1:0", "--folder", str(tmp_path))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield RunningPeer(json.loads(process.stdout.readline())["url"], tmp_path)
        process.terminate()


Send = Callable[[Path, str], tuple[int, dict[str, str]]]


@pytest.fixture
def send(world: World) -> Send:
    """Have GLOBEX post a file, as a process; return its exit code and what it printed."""

    def run(file: Path, url: str) -> tuple[int, dict[str, str]]:
        command = world.peer_command("--send", str(file), "--to", url)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode, json.loads(done.stdout)

    return run
