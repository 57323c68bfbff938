"""A cluster on one machine: three gateways, PostgreSQL and an S3 server, behind HAProxy, each with its own address.

python cluster.py up                     start everything and apply the configuration
python cluster.py exchange 30 [--kill two]   upload orders, kill a node meanwhile, wait until all are delivered
python cluster.py status                 say which nodes are ready
python cluster.py node two               start a node again
python cluster.py down                   end everything and forget all data
"""

import argparse
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import httpx
import paramiko
from cryptography.fernet import Fernet

HERE = Path(__file__).resolve().parent
RUN = HERE / "run"  # logs, process numbers, the key of all nodes
NODES = {"one": "127.0.0.11", "two": "127.0.0.12", "three": "127.0.0.13"}
BALANCER = "127.0.0.10"
DATABASE, DATABASE_PORT = "127.0.0.2", 15432
OBJECTS = "http://127.0.0.3:19000"
PATIENCE = 60.0
ORDER = '<order number="{}" supplier="4000002000011"><line article="4006381333931" quantity="12"/></order>'


def environment(**more: str) -> dict[str, str]:
    """Return what all nodes share: the key of the secrets in the database, and the way to the object store."""
    key = RUN / "key"
    if not key.exists():
        key.touch(0o600)
        key.write_bytes(Fernet.generate_key())
    credentials = {"AWS_ACCESS_KEY_ID": "cluster", "AWS_SECRET_ACCESS_KEY": "cluster", "AWS_REGION": "us-east-1"}
    reach = {"AWS_ENDPOINT_URL": OBJECTS, "AWS_ALLOW_HTTP": "true"}
    return {**os.environ, **credentials, **reach, "RECONCILER_KEY": key.read_text(), **more}


def start(name: str, *command: str | Path, env: dict[str, str] | None = None, user: str | None = None) -> None:
    """Start a process that outlives this one, and remember its number."""
    with (RUN / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=env, user=user, cwd="/", start_new_session=True)
    (RUN / f"{name}.pid").write_text(str(process.pid))


def end(name: str, how: signal.Signals) -> None:
    """End a process that was started, and wait until it is gone."""
    path = RUN / f"{name}.pid"
    if not path.exists():
        return
    pid = int(path.read_text())
    path.unlink()
    try:
        os.kill(pid, how)
        until(lambda: not Path(f"/proc/{pid}").exists() or is_over(pid), f"{name} ended")
    except ProcessLookupError:
        return


def is_over(pid: int) -> bool:
    """Say whether a process has ended and only waits for somebody to ask."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"It does not hold that {what}. The logs are in {RUN}.")
        time.sleep(0.1)


def answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False, timeout=3).status_code == 200
    except httpx.HTTPError:
        return False


def is_ready(address: str) -> bool:
    return answers(f"http://{address}:8080/readyz")


# --- the parts -------------------------------------------------------------------------------------------------------


def database() -> None:
    """Start PostgreSQL in a folder of its own, as somebody who may not do much."""
    binaries = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    user = "nobody" if os.geteuid() == 0 else None
    # Among the temporary folders, because that somebody may not enter every other.
    folder = Path(tempfile.mkdtemp(prefix="reconciler-cluster-"))
    if user:
        os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
    (RUN / "database.folder").write_text(str(folder))
    initdb = [binaries / "initdb", "-D", folder / "data", "-A", "trust", "-U", "reconciler"]
    subprocess.run(initdb, check=True, capture_output=True, user=user, cwd="/")
    options = [
        "-D",
        folder / "data",
        "-h",
        DATABASE,
        "-p",
        str(DATABASE_PORT),
        "-k",
        folder,
        "-c",
        "max_connections=300",
    ]
    start("database", binaries / "postgres", *options, user=user)
    check = [binaries / "pg_isready", "-q", "-h", DATABASE, "-p", str(DATABASE_PORT)]
    until(lambda: subprocess.run(check, check=False).returncode == 0, "PostgreSQL accepts connections")


def objects() -> None:
    """Start an S3 server with one bucket. It is moto's, which keeps objects in memory."""
    host, port = OBJECTS.removeprefix("http://").split(":")
    start("objects", sys.executable, "-m", "moto.server", "-H", host, "-p", port)
    until(lambda: answers(f"{OBJECTS}/moto-api/"), "the S3 server answers")
    httpx.put(f"{OBJECTS}/payloads", trust_env=False).raise_for_status()


def nodes(*names: str) -> None:
    """Start gateways, each on its own address."""
    for name in names:
        command = [sys.executable, "-m", "reconciler", "--config", HERE, "serve", "--node", name]
        start(name, *command, env=environment(NODE_ADDRESS=NODES[name]))
    until(lambda: all(is_ready(NODES[name]) for name in names), f"{', '.join(names)} are ready")


def balancer() -> None:
    """Start HAProxy."""
    program = shutil.which("haproxy") or "/usr/sbin/haproxy"
    start("haproxy", program, "-f", HERE / "haproxy.cfg", "-db")
    until(lambda: is_ready(BALANCER), "the balancer leads to a node")


# --- the commands ----------------------------------------------------------------------------------------------------


def up() -> None:
    RUN.mkdir(mode=0o700)
    database()
    objects()
    apply = [sys.executable, "-m", "reconciler", "--config", HERE, "apply", "--auto-approve"]
    subprocess.run(apply, check=True, env=environment(), stdout=subprocess.DEVNULL)
    nodes(*NODES)
    balancer()
    status()


def status() -> None:
    for name, address in NODES.items():
        print(f"{name:6} {address}  {'ready' if is_ready(address) else 'not ready'}")


def down() -> None:
    for name in ("haproxy", *NODES):
        end(name, signal.SIGTERM)
    end("objects", signal.SIGKILL)
    end("database", signal.SIGINT)
    folder = RUN / "database.folder"
    if folder.exists():
        shutil.rmtree(folder.read_text())
    shutil.rmtree(RUN, ignore_errors=True)
    shutil.rmtree(HERE / ".reconciler", ignore_errors=True)


def login(mailbox: str) -> paramiko.SFTPClient:
    """Log in as a partner, through the balancer."""
    show = [sys.executable, "-m", "reconciler", "--config", HERE, "credentials", "show", mailbox, "--field"]
    user, password = (
        subprocess.run([*show, field], check=True, env=environment(), capture_output=True, text=True).stdout.strip()
        for field in ("login", "password")
    )
    transport = paramiko.Transport((BALANCER, 2222))
    transport.connect(username=user, password=password)
    client = paramiko.SFTPClient.from_transport(transport)
    assert client is not None
    return client


def exchange(count: int, victim: str | None) -> None:
    """Upload orders, each until it is acknowledged, and wait for what comes of them; kill a node on the way."""
    client = login("accounts.north.mailboxes.orders")
    for number in range(count):
        if victim and number == count // 2:
            end(victim, signal.SIGKILL)
            print(f"killed {victim}")
        while True:
            try:
                client.putfo(BytesIO(ORDER.format(number).encode()), f"/coutbox/{number}.xml.part", confirm=True)
                client.posix_rename(f"/coutbox/{number}.xml.part", f"/coutbox/{number}.xml")
                break
            except (OSError, EOFError, paramiko.SSHException):
                time.sleep(0.5)  # the node is gone: the balancer knows another
                client = login("accounts.north.mailboxes.orders")
    wanted = {f"ORDER_{number}.csv" for number in range(count)}
    client = login("accounts.south.mailboxes.sales")
    until(lambda: wanted <= set(client.listdir("/cinbox")), "all orders are delivered")
    print(f"{count} orders uploaded, {len(client.listdir('/cinbox'))} files delivered")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up")
    commands.add_parser("status")
    commands.add_parser("down")
    commands.add_parser("node").add_argument("name", choices=NODES)
    exchanging = commands.add_parser("exchange")
    exchanging.add_argument("count", type=int)
    exchanging.add_argument("--kill", choices=NODES)
    given = parser.parse_args()
    match given.command:
        case "up":
            up()
        case "status":
            status()
        case "node":
            nodes(given.name)
        case "exchange":
            exchange(given.count, given.kill)
        case _:
            down()


if __name__ == "__main__":
    main()
