"""A gateway over each implementation of Folders, and clients to it."""

import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from time import monotonic, sleep
from typing import BinaryIO
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from paramiko import SFTPClient, Transport

from reconciler.desired.listen import Listen
from reconciler.desired.sftp_gateway import SftpGateway, SftpLimits
from reconciler.jobs.bans import StoreBans
from reconciler.jobs.folders import StoreFolders
from reconciler.model.credential import Secret
from reconciler.model.key import Key
from reconciler.model.noun import Json
from reconciler.protocols.protocol import LiveCredential, Partner
from reconciler.protocols.sftp.defence import BanLedger
from reconciler.protocols.sftp.folders import BOUNDLESS, Entry, Folders, Room, Upload, Usage
from reconciler.protocols.sftp.host_keys import load_host_keys
from reconciler.protocols.sftp.server import SftpServer
from reconciler.store.database import Store
from tests.contract.sftp.memory_folders import MemoryFolders


@dataclass(frozen=True)
class Shelves:
    """An implementation of Folders with two mailboxes that it knows."""

    folders: Folders
    mailboxes: tuple[UUID, UUID]
    bans: BanLedger | None = None


@contextmanager
def in_memory(folder: Path) -> Iterator[Shelves]:
    yield Shelves(MemoryFolders(), (uuid4(), uuid4()))


@contextmanager
def in_store(folder: Path) -> Iterator[Shelves]:
    store = Store(folder / "state")
    try:
        yield Shelves(StoreFolders(store, lambda: None), (uuid4(), uuid4()), StoreBans(store))
    finally:
        store.close()


IMPLEMENTATIONS: Mapping[str, Callable[[Path], AbstractContextManager[Shelves]]] = {
    "memory": in_memory,
    "store": in_store,
}
"""Whoever keeps the files passes this suite: add it here, given an empty folder of its own."""


@pytest.fixture(params=[("memory", "fast"), ("store", "fast"), ("memory", "plain")], ids="-".join)
def combination(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Who keeps the files, and whose packet loop serves: this server's own, or paramiko's."""
    found: tuple[str, str] = request.param
    return found


@pytest.fixture
def shelves(combination: tuple[str, str], tmp_path: Path) -> Iterator[Shelves]:
    with IMPLEMENTATIONS[combination[0]](tmp_path) as shelves:
        yield shelves


@dataclass
class FragileFolders:
    """Folders whose commits fail while `failure` is set; `open_uploads` are those neither committed nor aborted."""

    real: Folders
    failure: Exception | None = None
    open_uploads: set["FragileUpload"] = field(default_factory=set)

    def entries(self, mailbox: UUID, folder: str) -> Generator[Entry]:
        return self.real.entries(mailbox, folder)

    def find(self, mailbox: UUID, folder: str, name: str) -> Entry | None:
        return self.real.find(mailbox, folder, name)

    def open(self, mailbox: UUID, folder: str, name: str) -> BinaryIO:
        return self.real.open(mailbox, folder, name)

    def upload(
        self, mailbox: UUID, folder: str, name: str, *, exclusive: bool, keep: bool, room: Room = BOUNDLESS
    ) -> "FragileUpload":
        return FragileUpload(self, self.real.upload(mailbox, folder, name, exclusive=exclusive, keep=keep, room=room))

    def usage(self, mailbox: UUID) -> Usage:
        return self.real.usage(mailbox)

    def set_modified(self, mailbox: UUID, folder: str, name: str, modified: datetime) -> None:
        self.real.set_modified(mailbox, folder, name, modified)

    def rename(self, mailbox: UUID, source: tuple[str, str], target: tuple[str, str], *, replace: bool) -> None:
        self.real.rename(mailbox, source, target, replace=replace)

    def remove(self, mailbox: UUID, folder: str, name: str) -> None:
        self.real.remove(mailbox, folder, name)


class FragileUpload:
    """An upload into FragileFolders."""

    def __init__(self, folders: FragileFolders, real: Upload) -> None:
        self._folders = folders
        self._real = real
        folders.open_uploads.add(self)

    @property
    def size(self) -> int:
        return self._real.size

    def read(self, offset: int, length: int) -> bytes:
        return self._real.read(offset, length)

    def write(self, offset: int, data: bytes | memoryview) -> None:
        self._real.write(offset, data)

    def truncate(self, size: int) -> None:
        self._real.truncate(size)

    def sync(self) -> None:
        self._real.sync()

    def rename(self, name: str, *, replace: bool) -> None:
        self._real.rename(name, replace=replace)

    def commit(self, modified: datetime | None = None) -> None:
        if self._folders.failure is not None:
            raise self._folders.failure
        self._real.commit(modified)
        self._folders.open_uploads.discard(self)

    def abort(self) -> None:
        self._real.abort()
        self._folders.open_uploads.discard(self)


def live(secret: str, verifier: bytes = b"") -> LiveCredential:
    return LiveCredential(sha256(secret.encode()).hexdigest(), lambda: Secret(secret), verifier=verifier)


def password(text: str) -> LiveCredential:
    return live(text, sha256(text.encode()).digest())


@dataclass
class Gateway:
    """A running server, its partners, and what a test asks of them."""

    server: SftpServer
    folders: FragileFolders
    partners: tuple[Partner, Partner]
    settings: SftpGateway
    host_keys: Sequence[LiveCredential]
    bans: BanLedger | None
    transports: list[Transport] = field(default_factory=list)

    @property
    def mailbox(self) -> UUID:
        return self.partners[0].mailbox

    @property
    def login(self) -> str:
        return str(self.mailbox)

    @property
    def port(self) -> int:
        return self.server.address[1]

    def transport(self) -> Transport:
        """Return a connection that has not logged in."""
        transport = Transport(self.server.address)
        self.transports.append(transport)
        transport.start_client(timeout=20)
        return transport

    def connect(self, login: str | None = None, secret: str = "first") -> SFTPClient:
        transport = self.transport()
        transport.auth_password(login or self.login, secret)
        client = SFTPClient.from_transport(transport)
        assert client is not None
        return client

    def configure(self, first: Mapping[str, Json], *, also: Sequence[LiveCredential] = ()) -> None:
        """Give the first partner other settings, and other passwords if some are given."""
        one, other = self.partners
        credentials = {"password": tuple(also)} if also else one.credentials
        self.server.configure([replace(one, settings=first, credentials=credentials), other])

    def configure_all(self, first: Mapping[str, Json], second: Mapping[str, Json]) -> None:
        """Give both partners other settings."""
        one, other = self.partners
        self.server.configure([replace(one, settings=first), replace(other, settings=second)])

    def put(self, folder: str, name: str, content: bytes) -> None:
        """Lay a file down, in any folder."""
        upload = self.folders.real.upload(self.mailbox, folder, name, exclusive=False, keep=False)
        upload.write(0, content)
        upload.commit()

    def get(self, folder: str, name: str) -> bytes:
        with self.folders.real.open(self.mailbox, folder, name) as file:
            return file.read()

    def names(self, folder: str) -> list[str]:
        return [entry.name for entry in self.folders.real.entries(self.mailbox, folder)]


def eventually(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    """Wait until something holds that another thread brings about, and say whether it does."""
    deadline = monotonic() + seconds
    while not condition() and monotonic() < deadline:
        sleep(0.01)
    return condition()


@pytest.fixture(scope="session")
def host_keys() -> tuple[LiveCredential, ...]:
    keys = (ed25519.Ed25519PrivateKey.generate(), rsa.generate_private_key(65537, 3072))
    openssh = [key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode() for key in keys]
    curve = ec.generate_private_key(ec.SECP256R1())
    pem = curve.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return tuple(live(text) for text in (*openssh, pem))


@pytest.fixture(autouse=True, scope="session")
def _read_host_keys_once() -> Iterator[None]:
    """Read the same host keys once for all servers: that an RSA key is one takes a tenth of a second to prove."""
    with pytest.MonkeyPatch.context() as patch:
        once = cache(load_host_keys)
        patch.setattr("reconciler.protocols.sftp.server.load_host_keys", lambda keys: once(tuple(keys)))
        yield


@pytest.fixture
def limits() -> SftpLimits:
    return SftpLimits()


@pytest.fixture
def settings(limits: SftpLimits) -> SftpGateway:
    """Return what a test class has its server do; it overrides this, or `limits`."""
    return SftpGateway(limits=limits)


@pytest.fixture
def gateway(
    shelves: Shelves, host_keys: tuple[LiveCredential, ...], settings: SftpGateway, combination: tuple[str, str]
) -> Iterator[Gateway]:
    first, second = shelves.mailboxes
    partners = (
        Partner(first, Key.parse("accounts.acme.mailboxes.orders"), {}, {"password": (password("first"),)}),
        Partner(second, Key.parse("accounts.acme.mailboxes.other"), {}, {"password": (password("second"),)}),
    )
    folders = FragileFolders(shelves.folders)
    changed = {"listen": Listen(host="127.0.0.1", port=0), "plain_transport": combination[1] == "plain"}
    chosen = settings.model_copy(update=changed)
    server = SftpServer(settings=chosen, folders=folders, host_keys=lambda: host_keys, bans=shelves.bans)
    server.configure(partners)
    server.start()
    gateway = Gateway(server, folders, partners, chosen, host_keys, shelves.bans)
    try:
        yield gateway
    finally:
        for transport in gateway.transports:
            transport.close()
        server.stop(0)
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("sftp ")]
    assert not folders.open_uploads
