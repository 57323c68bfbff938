"""examples/deploy as a whole: its image, configuration, services and balancer, each with an address of its own."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import mkdtemp
from uuid import uuid4

import httpx
import paramiko
import psycopg
import pytest
from cryptography.fernet import Fernet

from tests.acceptance.deploy.machines import Image, Network
from tests.conftest import require_program
from tests.postgresql import binaries

SOURCE = Path(__file__).parents[3]
DEPLOY = SOURCE / "examples" / "deploy"
GATEWAYS = {"gateway-1": "172.30.0.11", "gateway-2": "172.30.0.12"}
MACHINES = {"database": "172.30.0.2", "objects": "172.30.0.3", "balancer": "172.30.0.10", **GATEWAYS}
BALANCER = MACHINES["balancer"]
LARGE = "x" * 40_000
"""Characters that make a payload too large for a row, so that it goes through the object store."""


def await_that(holds: Callable[[], object], what: str, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"it does not hold that {what}"
        time.sleep(0.1)


def answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False, timeout=3).status_code == 200
    except httpx.HTTPError:
        return False


@dataclass
class Deployment:
    """What the compose file starts."""

    folder: Path
    image: Image
    secrets: dict[str, str]
    running: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def start(self, name: str, *command: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(command, stdout=log, stderr=log, cwd="/")

    def stop(self, name: str) -> None:
        process = self.running.pop(name)
        # SIGTERM has PostgreSQL wait for its clients.
        process.send_signal(signal.SIGINT if name == "database" else signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def stop_all(self) -> None:
        for name in reversed(list(self.running)):
            self.stop(name)

    def reconciler(self, *arguments: str) -> str:
        """Run a command as the `apply` service does."""
        done = self.image.run(
            "command", *self.image.entrypoint, *arguments, on="gateway-1", binds=self.binds, more=self.secrets
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def serve(self, name: str) -> None:
        services = (DEPLOY / "compose.yaml").read_text()
        words = re.search(rf"^  {name}:.*?command: \[(.*?)\]", services, re.MULTILINE | re.DOTALL)
        assert words is not None
        command = re.findall(r'"([^"]+)"', words[1])
        whole = self.image.start(name, *self.image.entrypoint, *command, on=name, binds=self.binds, more=self.secrets)
        self.start(name, *whole)

    @property
    def binds(self) -> dict[str, str]:
        return {str(DEPLOY / "configuration"): "/etc/reconciler", str(self.folder / "hosts"): "/etc/hosts"}

    def logs(self) -> str:
        return "\n".join(f"--- {path.name}\n{path.read_text()[-3000:]}" for path in self.folder.glob("*.log"))


def gateway_env() -> dict[str, str]:
    """Return what the README has one write into gateway.env."""
    block = (DEPLOY / "README.md").read_text().partition("cat > gateway.env <<END\n")[2].partition("\nEND\n")[0]
    written = dict(line.split("=", 1) for line in block.splitlines())
    return {
        name: Fernet.generate_key().decode() if name == "RECONCILER_KEY" else value.replace("…", f"the {name.lower()}")
        for name, value in written.items()
    } | {"ALERT_URL": "json://172.30.0.1/"}


def database(deployment: Deployment, folder: Path) -> None:
    programs = binaries()
    (folder / "password").write_text(deployment.secrets["PGPASSWORD"])
    shutil.chown(folder, "nobody")
    as_nobody = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
    initdb = [str(programs / "initdb"), "-D", str(folder / "data"), "-U", "reconciler", "-A", "scram-sha-256"]
    subprocess.run(
        [*as_nobody, *initdb, f"--pwfile={folder / 'password'}", "--no-sync"], check=True, capture_output=True, cwd="/"
    )
    with (folder / "data" / "pg_hba.conf").open("a") as allowed:
        allowed.write("host all all 172.30.0.0/24 scram-sha-256\n")
    serve = [str(programs / "postgres"), "-D", str(folder / "data"), "-k", str(folder), "-h", MACHINES["database"]]
    deployment.start("database", *deployment.image.network.on("database", *as_nobody, *serve))
    reach = f"host={MACHINES['database']} user=reconciler dbname=postgres password='{deployment.secrets['PGPASSWORD']}'"

    def is_there() -> bool:
        try:
            with psycopg.connect(reach, autocommit=True) as connection:
                connection.execute("CREATE DATABASE reconciler")
        except psycopg.OperationalError:
            return False
        return True

    await_that(is_there, "PostgreSQL accepts connections")


def objects(deployment: Deployment) -> None:
    server = [sys.executable, "-m", "moto.server", "-H", MACHINES["objects"], "-p", "9000"]
    deployment.start("objects", *deployment.image.network.on("objects", *server))
    url = f"http://{MACHINES['objects']}:9000"
    await_that(lambda: answers(f"{url}/moto-api/"), "the object store answers")
    httpx.put(f"{url}/reconciler", trust_env=False).raise_for_status()  # as the service `bucket` does


@pytest.fixture(scope="module")
def deployment() -> Iterator[Deployment]:
    haproxy = require_program("haproxy", package="haproxy")
    require_program("ip", package="iproute2")
    binaries()
    if os.geteuid() != 0 or subprocess.run(["unshare", "--mount", "--net", "true"], check=False).returncode:
        pytest.skip("networks and overlays are made by root, with the capabilities for them")
    with ExitStack() as stack:
        folder = Path(mkdtemp(prefix="rcl-deploy-", dir="/dev/shm"))
        stack.callback(shutil.rmtree, folder)
        network = Network("172.30.0.1", MACHINES, folder)
        deployment = Deployment(folder, Image(folder, SOURCE, network), gateway_env())
        try:
            deployment.image.build(DEPLOY / "Containerfile")
            stack.enter_context(network.up())
            home = Path(mkdtemp(prefix="rcl-database-"))  # not in the folder, which only its owner may enter
            stack.callback(shutil.rmtree, home)
            stack.callback(deployment.stop_all)
            database(deployment, home)
            objects(deployment)
            assert "now at revision 1" in deployment.reconciler("apply", "--auto-approve")
            for name in GATEWAYS:
                deployment.serve(name)
            deployment.start("balancer", *network.on("balancer", haproxy, "-db", "-f", str(DEPLOY / "haproxy.cfg")))
            for address in GATEWAYS.values():
                await_that(partial(answers, f"http://{address}:9464/readyz"), f"{address} is ready")
            await_that(lambda: answers(f"http://{BALANCER}:8080/readyz"), "the balancer leads to a gateway")
            yield deployment
        except BaseException:
            print(deployment.logs())  # noqa: T201 - what a person needs to see why it failed
            raise


@dataclass
class Mailbox:
    """A partner who only knows the balancer."""

    uuid: str
    login: str
    password: str

    def sftp(self) -> paramiko.SFTPClient:
        transport = paramiko.Transport((BALANCER, 2222))
        transport.connect(username=self.login, password=self.password)
        client = paramiko.SFTPClient.from_transport(transport)
        assert client is not None
        return client

    def put(self, name: str, content: bytes) -> None:
        client = self.sftp()
        try:
            with client.open(f"outbox/{name}", "w") as file:
                file.write(content)
        finally:
            client.get_channel().get_transport().close()  # type: ignore[union-attr]  # it is connected

    def inbox(self) -> list[bytes]:
        client = self.sftp()
        try:
            return [client.open(f"inbox/{name}").read() for name in client.listdir("inbox")]
        finally:
            client.get_channel().get_transport().close()  # type: ignore[union-attr]


@pytest.fixture(scope="module")
def partners(deployment: Deployment) -> tuple[Mailbox, Mailbox]:
    live = {item["address"]: item for item in json.loads(deployment.reconciler("show", "-o", "json"))}
    found = []
    for name in ("orders", "sales"):
        address = f"accounts.company.mailboxes.{name}"
        fields = json.loads(deployment.reconciler("credentials", "show", address, "-o", "json"))
        found.append(Mailbox(live[address]["uuid"], fields["login"], fields["password"]))
    return found[0], found[1]


def envelope(sender: Mailbox, recipient: Mailbox, subject: str) -> bytes:
    return f"""<envelope templateUuid="{uuid4()}" templateVersion="{uuid4()}">
<info><subject>{subject}</subject><message>{LARGE}</message></info>
<documents><document id="order"><field name="number">{subject}</field></document></documents>
<flow><roles>
<role id="buyer" mailboxUuid="{sender.uuid}"/><role id="seller" mailboxUuid="{recipient.uuid}"/>
</roles></flow>
</envelope>""".encode()


def test_a_file_arrives_and_goes_on_arriving_when_a_gateway_is_stopped(
    deployment: Deployment, partners: tuple[Mailbox, Mailbox]
) -> None:
    orders, sales = partners
    orders.put("first.xml", envelope(orders, sales, "FIRST-1"))
    await_that(lambda: any(b"FIRST-1" in file for file in sales.inbox()), "the first envelope arrived")
    deployment.stop("gateway-1")
    # Nobody waits for the balancer to notice: whom a stopped gateway refuses gets the other.
    orders.put("second.xml", envelope(orders, sales, "SECOND-2"))
    await_that(lambda: any(b"SECOND-2" in file for file in sales.inbox()), "the second envelope arrived")
    assert len(sales.inbox()) == 2
    deployment.reconciler("fsck")
    deployment.serve("gateway-1")
    await_that(lambda: answers(f"http://{GATEWAYS['gateway-1']}:9464/readyz"), "the gateway is back")


def test_who_connects_is_known_behind_the_balancer(deployment: Deployment, partners: tuple[Mailbox, Mailbox]) -> None:
    stranger = Mailbox("", partners[0].login, "wrong")
    with pytest.raises(paramiko.AuthenticationException):
        stranger.sftp()
    await_that(lambda: "login refused from 172.30.0.1" in deployment.logs(), "a log has the client's address")


def test_large_payloads_are_in_the_object_store_and_nothing_beside_the_configuration(deployment: Deployment) -> None:
    listing = httpx.get(f"http://{MACHINES['objects']}:9000/reconciler?list-type=2", trust_env=False).text
    assert len(re.findall("<Key>", listing)) >= 2
    assert sorted(path.name for path in (DEPLOY / "configuration").iterdir()) == ["accounts", "reconciler.yaml"]
