"""The `sftp` section of an integration."""

from collections.abc import Mapping
from ipaddress import ip_network
from types import MappingProxyType

from pydantic import Field, field_validator

from reconciler.model.credential import Credential, CredentialKind
from reconciler.model.key import Key
from reconciler.model.protocol import ProtocolSettings
from reconciler.protocols.sftp.authorized_keys import AuthorizedKey

NAME = "sftp"
"""What `protocol:` calls this protocol."""


class SftpSettings(ProtocolSettings):
    """How a partner may log in over SFTP. Keys and networks are kept sorted, each once: their order means nothing."""

    authorized_keys: tuple[str, ...] = Field(
        default=(),
        description="Public keys that may log in, each a line as in OpenSSH's authorized_keys; the options `from`, "
        "`expiry-time` and `restrict` are honoured. The password stays valid beside them.",
    )
    allow_from: tuple[str, ...] = Field(
        default=(),
        description="Networks or addresses that may connect, such as 192.0.2.0/24; none means all.",
    )
    password_generation: int = Field(
        default=1, ge=1, description="Raise it to have a new password generated when the change is applied."
    )

    @field_validator("authorized_keys")
    @classmethod
    def _keys_are_readable(cls, lines: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted({str(AuthorizedKey.parse(line)) for line in lines}))

    @field_validator("allow_from")
    @classmethod
    def _networks_are_canonical(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted({_canonical(network) for network in networks}))

    def credentials(self, mailbox: Key) -> Mapping[str, Credential]:
        """Return the one password that every SFTP integration has."""
        del mailbox
        password = Credential(kind=CredentialKind.PASSWORD, generation=self.password_generation)
        return MappingProxyType({"password": password})


def _canonical(network: str) -> str:
    try:
        loose = ip_network(network, strict=False)
    except ValueError:
        raise ValueError(f"'{network}' is no network; one looks like 192.0.2.0/24 or 2001:db8::/32") from None
    try:
        return str(ip_network(network))
    except ValueError:
        raise ValueError(f"'{network}' is an address inside a network; write {loose} for all of it") from None
