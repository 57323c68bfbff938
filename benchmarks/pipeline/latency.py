"""An idle gateway: milliseconds from the close of an upload to the file's being visible in the other mailbox."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import paramiko

from benchmarks.pipeline.world import World, address, order
from reconciler.model.credential import Secret
from tests.acceptance.running_gateway import accepts, await_that
from tests.postgresql import PostgresqlServer

TIMES = 100


@contextmanager
def served(world: World, *options: str) -> Iterator[None]:
    """Run a gateway as a process of its own."""
    command = [sys.executable, "-m", "reconciler", "--config", str(world.folder), "serve", *options]
    with (world.folder / "log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        if not options:
            await_that(lambda: accepts(world.sftp_port), "the gateway listens")
        yield
    finally:
        process.terminate()
        process.wait(15)


def login(world: World, name: str) -> paramiko.SFTPClient:
    values = world.workspace.credentials(address(name)).values
    user, password = values["login"], values["password"]
    assert isinstance(password, Secret)
    transport = paramiko.Transport(("127.0.0.1", world.sftp_port))
    transport.connect(username=str(user), password=password.reveal())
    client = paramiko.SFTPClient.from_transport(transport)
    assert client is not None
    return client


def one(sender: paramiko.SFTPClient, recipient: paramiko.SFTPClient, number: int, mailbox: UUID) -> float:
    with sender.open(f"/coutbox/{number}.xml", "w") as file:
        file.write(order(number, mailbox))
        began = time.perf_counter()
    while True:
        try:
            recipient.stat(f"/cinbox/{number}.xml")
        except FileNotFoundError:
            time.sleep(0.001)
        else:
            return (time.perf_counter() - began) * 1000


def report(folder: Path, server: PostgresqlServer) -> None:
    print(f"{'store':10} {'p50 ms':>7} {'p99 ms':>7}   from close to visible, one at a time")
    for name in ("SQLite", "PostgreSQL"):
        url = server.database() if name == "PostgreSQL" else None
        world = World(folder / f"latency-{name}", mailboxes=2, url=url)
        with served(world):
            sender, recipient = login(world, "m0"), login(world, "m1")
            for number in range(10):  # the maps are compiled, and the statements
                one(sender, recipient, number, world.mailboxes[1])
            found = []
            for number in range(10, 10 + TIMES):
                time.sleep(0.05)
                found.append(one(sender, recipient, number, world.mailboxes[1]))
            for client in (sender, recipient):
                client.get_channel().get_transport().close()  # type: ignore[union-attr]
        world.close()
        found.sort()
        print(f"{name:10} {found[len(found) // 2]:7.0f} {found[int(len(found) * 0.99) - 1]:7.0f}", flush=True)
