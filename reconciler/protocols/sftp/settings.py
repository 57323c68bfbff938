"""The `sftp` section of an integration."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, Self
from uuid import UUID

from pydantic import Field, field_validator, model_validator

from reconciler.model.credential import Credential, CredentialKind
from reconciler.model.key import Key
from reconciler.model.network import canonical_networks
from reconciler.model.noun import Noun
from reconciler.model.protocol import ProtocolSettings
from reconciler.protocols.sftp.authorized_keys import AuthorizedKey

NAME = "sftp"
"""What `protocol:` calls this protocol."""


_LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@-]{0,63}")


class Quota(Noun):
    """What the files in a mailbox's folders may come to. What is left out is not limited."""

    bytes: int | None = Field(default=None, ge=0, description="Bytes of all files together.")
    files: int | None = Field(default=None, ge=0, description="Files in all folders together.")
    file_size: int | None = Field(
        default=None, ge=1, description="Bytes of a file; the gateway's own limit holds beside it."
    )


class Bandwidth(Noun):
    """How fast a mailbox's sessions may be together, in bytes a second. What is left out is not limited."""

    upload: int | None = Field(default=None, ge=1024, description="Bytes a second that are received.")
    download: int | None = Field(default=None, ge=1024, description="Bytes a second that are sent.")


class SftpSettings(ProtocolSettings):
    """How a partner may log in over SFTP. Keys and networks are kept sorted, each once: their order means nothing."""

    authorized_keys: tuple[str, ...] = Field(
        default=(),
        description="Public keys that may log in, each a line as in OpenSSH's authorized_keys; the options `from`, "
        "`expiry-time` and `restrict` are honoured. The password stays valid beside them.",
    )
    authentication: Literal["any", "both"] = Field(
        default="any", description="`any`: a key or the password logs in. `both`: a key, and then the password too."
    )
    login_names: tuple[str, ...] = Field(
        default=(),
        description="Names beside the mailbox's UUID that log in; each must be this mailbox's alone.",
        examples=[["acme-orders"]],
    )
    allow_from: tuple[str, ...] = Field(
        default=(),
        description="Networks or addresses that may connect, such as 192.0.2.0/24; none means all.",
    )
    password_generation: int = Field(
        default=1, ge=1, description="Raise it to have a new password generated when the change is applied."
    )
    quota: Quota = Field(default=Quota(), description="What the files in the mailbox's folders may come to.")
    bandwidth: Bandwidth = Field(default=Bandwidth(), description="How fast the mailbox's sessions may be.")

    @field_validator("authorized_keys")
    @classmethod
    def _keys_are_readable(cls, lines: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted({str(AuthorizedKey.parse(line)) for line in lines}))

    @field_validator("allow_from")
    @classmethod
    def _networks_are_canonical(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        return canonical_networks(networks)

    @field_validator("login_names")
    @classmethod
    def _names_are_readable(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not _LOGIN.fullmatch(name):
                raise ValueError(f"'{name}' is no login; one has up to 64 of A-Z a-z 0-9 . _ : @ -")
            if _is_uuid(name):
                raise ValueError(f"'{name}' is a UUID; a mailbox logs in with its own anyway")
        return tuple(sorted(set(names)))

    @model_validator(mode="after")
    def _both_are_there(self) -> Self:
        if self.authentication == "both" and not self.authorized_keys:
            raise ValueError("authentication: both needs a key; write one into authorized_keys")
        return self

    def credentials(self, mailbox: Key) -> Mapping[str, Credential]:
        """Return the one password that every SFTP integration has."""
        del mailbox
        password = Credential(kind=CredentialKind.PASSWORD, generation=self.password_generation)
        return MappingProxyType({"password": password})


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
