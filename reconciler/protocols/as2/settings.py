"""What an author writes below `as2:`."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from reconciler.model.credential import Credential, CredentialKind
from reconciler.model.key import Key
from reconciler.model.noun import Noun
from reconciler.model.protocol import ProtocolSettings
from reconciler.model.source_file import SourceFile

NAME = "as2"
"""The word of `protocol: as2`."""

CERTIFICATE = "certificate"
"""The name of the credential: own key pair and self-signed certificate."""

Encryption = Literal["aes256-cbc", "aes192-cbc", "aes128-cbc", "tripledes-192-cbc", "none"]
Signing = Literal["sha256", "sha384", "sha512", "sha1", "none"]
MdnMode = Literal["sync", "async", "none"]


def _reachable_by_http(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("the URL begins with https:// or http:// and names a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("the URL carries no user name and no password")
    return url


As2Name = Annotated[
    str,
    # Printable ASCII with inner blanks, RFC 4130 section 6.2; an outer blank would not survive an HTTP header.
    Field(min_length=1, max_length=128, pattern=r"^[!-~]([ -~]*[!-~])?$"),
]
HttpUrl = Annotated[str, AfterValidator(_reachable_by_http)]


class Recipient(Noun):
    """The partner on the other side."""

    id: As2Name = Field(description="The partner's AS2 name: AS2-To of what we send, AS2-From of what we receive.")
    url: HttpUrl = Field(description="Where messages are posted, http:// or https://.")
    certificates: tuple[SourceFile, ...] = Field(
        min_length=1,
        description="PEM files of the partner's certificates. The first one that is valid encrypts; each one that is "
        "valid may have signed.",
    )
    email: str | None = Field(default=None, description="A person or list at the partner's, for the connection sheet.")


class As2Settings(ProtocolSettings):
    """The AS2 section of an integration."""

    self_id: As2Name | None = Field(
        default=None, description="Our AS2 name towards this partner. Default: the mailbox's key in upper case."
    )
    recipient: Recipient | None = Field(default=None, description="The partner on the other side.")
    encryption: Encryption = Field(
        default="aes256-cbc",
        description="How messages are encrypted, both ways: what arrives unencrypted is refused, unless `none`.",
    )
    signing: Signing = Field(
        default="sha256", description="The digest of signatures, both ways: what arrives unsigned is refused."
    )
    compression: bool = Field(default=False, description="Whether messages are compressed before they are signed.")
    mdn: MdnMode = Field(
        default="sync", description="How the partner acknowledges: in the answer, by a post of its own, or not at all."
    )
    certificate_generation: int = Field(
        default=1, ge=1, description="Raise it to have a new key pair and certificate generated."
    )

    def completed(self, mailbox: Key) -> Self:
        """Return the settings with the AS2 name that the mailbox gives when the author gives none."""
        return self if self.self_id else self.model_copy(update={"self_id": mailbox.name.upper()})

    def credentials(self, mailbox: Key) -> Mapping[str, Credential]:
        """Return the key pair that signs what we send and decrypts what we receive."""
        subject = self.completed(mailbox).self_id
        return {
            CERTIFICATE: Credential(
                kind=CredentialKind.CERTIFICATE, generation=self.certificate_generation, subject=subject
            )
        }

    def missing(self) -> Mapping[str, str]:
        """Return what an enabled integration still lacks."""
        if self.recipient is not None:
            return {}
        return {
            "recipient": "an enabled AS2 integration needs its partner: "
            "recipient: {id: …, url: https://…, certificates: [partner.pem]}"
        }
