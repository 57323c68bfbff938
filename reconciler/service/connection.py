"""Connection details: what a partner's admin is told, each value fit to be copied."""

from collections.abc import Mapping

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.x509 import load_pem_x509_certificate

from reconciler.desired.gateway import GatewaySettings
from reconciler.jobs.directory import Snapshot
from reconciler.live.views import ConnectionDetails
from reconciler.model.credential import Secret
from reconciler.model.key import Key, sftp_host_key
from reconciler.protocols.as2 import settings as as2
from reconciler.protocols.sftp import settings as sftp


def connection_details(snapshot: Snapshot, gateway: GatewaySettings, mailbox: Key) -> ConnectionDetails | None:
    """Return the connection details of a mailbox, or None when it has no integration."""
    integration = snapshot.integration(mailbox)
    if integration is None:
        return None
    values: dict[str, str | Secret] = {
        "protocol": integration.protocol,
        "enabled": "yes" if integration.enabled else "no",
    }
    match integration.protocol:
        case sftp.NAME:
            values |= _sftp(snapshot, gateway, mailbox)
        case as2.NAME:
            values |= _as2(snapshot, gateway, mailbox, as2.As2Settings.model_validate(integration.settings))
        case other:
            raise ValueError(f"nothing is known of the protocol {other}")
    return ConnectionDetails(mailbox, values)


def _sftp(snapshot: Snapshot, gateway: GatewaySettings, mailbox: Key) -> Mapping[str, str | Secret]:
    password = snapshot.credential(mailbox.integration.credential("password"))
    values: dict[str, str | Secret] = {
        "host": gateway.sftp.public_host or gateway.sftp.listen.host,
        "port": str(gateway.sftp.listen.port),
        "login": str(snapshot.uuid(mailbox) or ""),
    }
    if password is not None:
        values["password"] = password.reveal()
    for field, kind, generations in (
        ("host_key", "ed25519", gateway.sftp.host_keys.ed25519),
        ("host_key_rsa", "rsa", gateway.sftp.host_keys.rsa),
        ("host_key_ecdsa", "ecdsa", gateway.sftp.host_keys.ecdsa),
    ):
        host_key = snapshot.credential(sftp_host_key(kind, generations[0])) if generations else None
        if host_key is not None:
            values[field] = host_key.public
            values[f"{field}_fingerprint"] = host_key.fingerprint
    return values


def _as2(
    snapshot: Snapshot, gateway: GatewaySettings, mailbox: Key, settings: as2.As2Settings
) -> Mapping[str, str | Secret]:
    values: dict[str, str | Secret] = {
        "self_id": settings.self_id or "",
        "self_url": f"{gateway.http.url}/as2",
    }
    for name, field in (
        (as2.CERTIFICATE, "self_certificate"),
        (as2.SIGNING_CERTIFICATE, "signing_certificate"),
        (as2.TLS_CLIENT_CERTIFICATE, "tls_client_certificate"),
    ):
        certificate = snapshot.credential(mailbox.integration.credential(name))
        if certificate is not None:
            values[field] = certificate.public
            values[f"{field}_fingerprint"] = certificate.fingerprint
            shown = load_pem_x509_certificate(certificate.public.encode())
            values[f"{field}_fingerprint_sha1"] = f"SHA1:{shown.fingerprint(SHA1()).hex(':').upper()}"  # noqa: S303 - many products show this one only
            values[f"{field}_expires"] = f"{shown.not_valid_after_utc:%Y-%m-%d}"
    if settings.recipient is not None:
        values["recipient_id"] = settings.recipient.id
        values["recipient_url"] = settings.recipient.url
        values["recipient_certificates"] = ", ".join(each.file.name for each in settings.recipient.certificates)
        if settings.recipient.email:
            values["recipient_email"] = settings.recipient.email
    return values | {"encryption": settings.encryption, "signing": settings.signing, "mdn": settings.mdn}
