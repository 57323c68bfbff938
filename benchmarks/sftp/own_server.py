"""This server over a store of its own: python -m benchmarks.sftp.own_server FOLDER KEY PORT [--plain]."""

import signal
import sys
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from reconciler.desired.listen import Listen
from reconciler.desired.sftp_gateway import SftpGateway, SftpLimits
from reconciler.jobs.folders import StoreFolders
from reconciler.model.credential import Secret
from reconciler.model.key import Key
from reconciler.protocols.protocol import LiveCredential, Partner
from reconciler.protocols.sftp.server import SftpServer
from reconciler.store.database import Store


def main(folder: str, key: str, port: str, *options: str) -> None:
    store = Store(Path(folder))
    host_key = ed25519.Ed25519PrivateKey.generate()
    text = host_key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    settings = SftpGateway(
        listen=Listen(host="127.0.0.1", port=int(port)),
        plain_transport="--plain" in options,
        limits=SftpLimits(unauthenticated=500, unauthenticated_per_address=500),
    )
    server = SftpServer(
        settings=settings,
        folders=StoreFolders(store, lambda: None, temporary=settings.temporary_names),
        host_keys=lambda: [LiveCredential(sha256(text.encode()).hexdigest(), lambda: Secret(text))],
    )
    keys = [Path(key).with_suffix(".pub").read_text().strip()]
    address = Key.parse("accounts.acme.mailboxes.orders")
    server.configure([Partner(uuid4(), address, {"authorized_keys": [*keys], "login_names": ["partner"]})])
    server.start()
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    server.stop(0)
    store.close()


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    main(*sys.argv[1:])
