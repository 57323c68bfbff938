"""Where the HTTP listener has its certificates from."""

from pathlib import Path

from reconciler.desired.gateway import HttpGateway
from reconciler.web.server_certificate import CertificateFiles, ServerCertificates


def server_certificates(settings: HttpGateway, root: Path) -> ServerCertificates | None:
    """Return what the listener shows, None when it speaks no TLS. Raises ReconcilerError when files cannot be used."""
    if not settings.tls:
        return None
    return ServerCertificates(
        [CertificateFiles(root / each.certificate, root / each.key, each.active_from) for each in settings.tls]
    )
