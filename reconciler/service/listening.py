"""What listens: whether somebody does now, and where the HTTP listener has its certificates from."""

import socket
from pathlib import Path

from reconciler.desired.gateway import HttpGateway
from reconciler.desired.listen import Listen
from reconciler.web.server_certificate import CertificateFiles, ServerCertificates

PATIENCE = 1.0


def accepts(listen: Listen) -> bool:
    """Say whether connections are accepted where a listener is to be."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listen.host, listen.host)  # noqa: S104 - translated, not bound
    try:
        socket.create_connection((host, listen.port), timeout=PATIENCE).close()
    except OSError:
        return False
    return True


def server_certificates(settings: HttpGateway, root: Path) -> ServerCertificates | None:
    """Return what the listener shows, None when it speaks no TLS. Raises ReconcilerError when files cannot be used."""
    if not settings.tls:
        return None
    return ServerCertificates(
        [CertificateFiles(root / each.certificate, root / each.key, each.active_from) for each in settings.tls]
    )
