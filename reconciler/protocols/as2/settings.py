"""What an author writes below `as2:`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, AwareDatetime, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from reconciler.model.credential import Credential, CredentialKind, Rotation
from reconciler.model.key import Key
from reconciler.model.noun import Noun
from reconciler.model.protocol import ProtocolSettings
from reconciler.model.source_file import SourceFile

NAME = "as2"
"""The word of `protocol: as2`."""

CERTIFICATE = "certificate"
"""The name of the credential: own key pair and self-signed certificate, which decrypts and, as a rule, signs."""

SIGNING_CERTIFICATE = "signing-certificate"
"""The name of the credential that signs when signatures are by elliptic curve."""

TLS_CLIENT_CERTIFICATE = "tls-client-certificate"
"""The name of the credential that shows the partner's web server who posts."""

Cipher = Literal[
    "aes256-gcm", "aes192-gcm", "aes128-gcm", "aes256-cbc", "aes192-cbc", "aes128-cbc", "tripledes-192-cbc"
]
Digest = Literal["sha256", "sha384", "sha512", "sha1", "md5"]
Encryption = Cipher | Literal["none"]
Signing = Digest | Literal["none"]
MdnMode = Literal["sync", "async", "none"]
Quirk = Literal[
    "any-key-usage",
    "base64",
    "canonical-line-ends",
    "mic-over-compressed",
    "mic-over-uncompressed",
    "mic-without-headers",
    "missing-line-end",
    "opaque-signature",
]


def _reachable_by_http(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("the URL begins with https:// or http:// and names a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("the URL carries no user name and no password; write them below basic_auth")
    return url


As2Name = Annotated[
    str,
    # Printable ASCII with inner blanks, RFC 4130 section 6.2; an outer blank would not survive an HTTP header.
    Field(min_length=1, max_length=128, pattern=r"^[!-~]([ -~]*[!-~])?$"),
]
HttpUrl = Annotated[str, AfterValidator(_reachable_by_http)]


class PartnerCertificate(Noun):
    """A certificate of the partner's, and from when until when it is used for what. In YAML a path alone will do."""

    file: SourceFile = Field(description="The certificate, PEM or DER.")
    use: tuple[Literal["encrypt", "verify"], ...] = Field(
        default=("encrypt", "verify"),
        min_length=1,
        description="Whether we encrypt for it, verify the partner's signatures by it, or both.",
    )
    active_from: AwareDatetime | None = Field(
        default=None, description="From when on we encrypt for it. Default: from when it is valid."
    )
    active_until: AwareDatetime | None = Field(
        default=None, description="Until when it is used at all. Default: until it is not valid any more."
    )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Describe what an author writes."""
        described = handler.resolve_ref_schema(handler(schema))
        return {"anyOf": [{"type": "string", "minLength": 1}, described]}

    @model_validator(mode="before")
    @classmethod
    def _path_alone(cls, value: Any) -> Any:  # noqa: ANN401 - the type is what is being found out
        is_file = isinstance(value, (str, SourceFile)) or (isinstance(value, dict) and "sha256" in value)
        return {"file": value} if is_file else value

    def is_used(self, use: Literal["encrypt", "verify"], now: datetime) -> bool:
        """Say whether the declaration lets the certificate be used now; a signature may be older than the change."""
        started = use == "verify" or self.active_from is None or self.active_from <= now
        return use in self.use and started and (self.active_until is None or now <= self.active_until)


class BasicAuth(Noun):
    """A user name and password for the partner's web server. The password stays outside of the configuration."""

    user: str = Field(min_length=1, pattern=r"^[^:\x00-\x1f]+$", description="The user name.")
    password_env: str = Field(
        pattern="^[A-Za-z_][A-Za-z0-9_]*$", description="The environment variable of the gateway that has the password."
    )


class Tls(Noun):
    """How the partner's web server is recognised, and how it recognises us."""

    ca: tuple[SourceFile, ...] = Field(
        default=(), description="PEM files of the authorities that are trusted instead of the system's."
    )
    pinned: tuple[SourceFile, ...] = Field(
        default=(),
        description="The server's own certificates, PEM or DER: one of them is shown, whatever its name and issuer, or "
        "nothing is sent. Declare the next one beside the present one before the partner changes it.",
    )
    client_certificate: bool = Field(
        default=False, description="Whether we show a certificate of our own, generated for this, to the server."
    )


class Recipient(Noun):
    """The partner on the other side."""

    id: As2Name = Field(description="The partner's AS2 name: AS2-To of what we send, AS2-From of what we receive.")
    url: HttpUrl = Field(description="Where messages are posted, http:// or https://.")
    allow_private: bool = Field(
        default=False,
        description="Whether the URL may lead to this machine or into a private network. Otherwise public addresses "
        "only are connected to, whatever a name resolves to.",
    )
    certificates: tuple[PartnerCertificate, ...] = Field(
        min_length=1,
        description="The partner's certificates, PEM or DER: paths, or mappings with dates and uses. The first one "
        "that is in use and valid encrypts; each one that is valid may have signed.",
    )
    tls: Tls = Field(default=Tls(), description="How the partner's web server is recognised, and how it recognises us.")
    basic_auth: BasicAuth | None = Field(default=None, description="User name and password for the web server.")
    timeout: int = Field(
        default=120,
        ge=1,
        le=600,
        description="Seconds that a post may take from the first byte sent to the last byte of the answer.",
    )
    email: str | None = Field(default=None, description="A person or list at the partner's, for the connection sheet.")


class Inbound(Noun):
    """What is accepted from the partner, where that is not simply what it is sent."""

    signed: bool | None = Field(
        default=None, description="Whether unsigned messages are refused. Default: unless `signing` is none."
    )
    encrypted: bool | None = Field(
        default=None, description="Whether unencrypted messages are refused. Default: unless `encryption` is none."
    )
    digests: tuple[Digest, ...] | None = Field(
        default=None,
        min_length=1,
        description="The digests that signatures may have. Default: sha256, sha384, sha512 and that of `signing`.",
    )
    ciphers: tuple[Cipher, ...] | None = Field(
        default=None, min_length=1, description="The ciphers that are taken. Default: AES and that of `encryption`."
    )


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
    key_transport: Literal["pkcs1", "oaep-sha1", "oaep-sha256", "oaep-sha384", "oaep-sha512"] = Field(
        default="pkcs1", description="How the key of an encrypted message travels; each is accepted."
    )
    signing: Signing = Field(
        default="sha256", description="The digest of signatures, both ways: what arrives unsigned is refused."
    )
    signature: Literal["pkcs1", "pss", "ecdsa"] = Field(
        default="pkcs1",
        description="How we sign: RSA with PKCS #1 v1.5, RSA-PSS, or an elliptic-curve key of its own."
        " Each is accepted.",
    )
    compression: bool | Literal["after-signing"] = Field(
        default=False, description="Whether messages are compressed, before they are signed or after."
    )
    inbound: Inbound = Field(default=Inbound(), description="What is accepted, where that is not simply what is sent.")
    mdn: MdnMode = Field(
        default="sync", description="How the partner acknowledges: in the answer, by a post of its own, or not at all."
    )
    mdn_signed: bool | None = Field(
        default=None, description="Whether an unsigned MDN proves nothing. Default: unless `signing` is none."
    )
    quirks: tuple[Quirk, ...] = Field(
        default=(), description="What the partner's product does in another way than the standards, by name."
    )
    certificate_generation: int = Field(
        default=1, ge=1, description="Raise it to have a new key pair and certificate generated."
    )
    rotation: Rotation | None = Field(
        default=None,
        description="Have a new key pair generated by its age; in the overlap the one before stays valid beside it, "
        "and in the first half of that it still signs.",
        examples=[{"every": "365d", "overlap": "30d"}],
    )
    certificate_active_from: AwareDatetime | None = Field(
        default=None,
        description="From when on the newest own key signs and is shown to web servers; until then the one before it."
        " Default: at once; after a rotation from the middle of its overlap on.",
    )

    @property
    def demands_signature(self) -> bool:
        """Whether an unsigned message is refused."""
        return self.signing != "none" if self.inbound.signed is None else self.inbound.signed

    @property
    def demands_encryption(self) -> bool:
        """Whether an unencrypted message is refused."""
        return self.encryption != "none" if self.inbound.encrypted is None else self.inbound.encrypted

    @property
    def demands_signed_mdn(self) -> bool:
        """Whether a signed MDN is asked for, and an unsigned one proves nothing."""
        return self.signing != "none" if self.mdn_signed is None else self.mdn_signed

    def completed(self, mailbox: Key) -> Self:
        """Return the settings with the AS2 name that the mailbox gives when the author gives none."""
        return self if self.self_id else self.model_copy(update={"self_id": mailbox.name.upper()})

    def credentials(self, mailbox: Key) -> Mapping[str, Credential]:
        """Return the key pair that signs what we send and decrypts what we receive, and those of particular uses."""
        subject = self.completed(mailbox).self_id
        generation = self.certificate_generation
        pair = Credential(
            kind=CredentialKind.CERTIFICATE, generation=generation, subject=subject, rotation=self.rotation
        )
        found = {CERTIFICATE: pair}
        if self.signature == "ecdsa":
            found[SIGNING_CERTIFICATE] = pair.model_copy(update={"kind": CredentialKind.ECDSA_CERTIFICATE})
        if self.recipient is not None and self.recipient.tls.client_certificate:
            found[TLS_CLIENT_CERTIFICATE] = pair
        return found

    def identity(self) -> tuple[str, ...] | None:
        """Return both AS2 names: what arrives is told apart by them. RFC 4130, section 6.2."""
        return None if self.recipient is None or self.self_id is None else (self.self_id, self.recipient.id)

    def missing(self) -> Mapping[str, str]:
        """Return what an enabled integration still lacks."""
        if self.recipient is not None:
            return {}
        return {
            "recipient": "an enabled AS2 integration needs its partner: "
            "recipient: {id: …, url: https://…, certificates: [partner.pem]}"
        }
