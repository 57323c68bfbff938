"""The gateway's own settings: where it listens, how the outside reaches it, and by which server its mail leaves."""

import re
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, AwareDatetime, Field, model_validator

from reconciler.desired.environment_document import VariableValues
from reconciler.desired.listen import Listen
from reconciler.desired.operation import (
    Alerts,
    MetricsGateway,
    NotificationSettings,
    OidcGateway,
    Retention,
    TracesGateway,
)
from reconciler.desired.sftp_gateway import SftpGateway
from reconciler.model.key import Kind
from reconciler.model.noun import Noun
from reconciler.model.secret_source import SecretSource

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_STORES = ("sqlite", "postgresql")
_OBJECT_STORES = ("s3", "gs", "az")


def _is_url(value: str, schemes: tuple[str, ...]) -> bool:
    try:
        parts = urlsplit(value)
        # Reading the port is what checks it.
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0 and not parts.query + parts.fragment
    except ValueError:
        # The reason that urllib gives can contain the password.
        return False


def _is_web_url(value: str) -> str:
    if not _is_url(value, ("http", "https")):
        raise ValueError("expected an http:// or https:// URL without query and fragment")
    return value.rstrip("/")


def _is_mail_url(value: str) -> str:
    if not _is_url(value, ("smtp", "smtps")):
        raise ValueError("expected a URL such as smtp://127.0.0.1:25 or smtps://user:password@mail.example.com")
    return value


def check_state(value: str) -> str:
    """Return where the live side is kept, as it is. Raises ValueError when that is no such place."""
    if is_gateway(value):
        # A token in clear text is for one's own machine only.
        if not _is_url(value, ("https", "http")) or (
            value.startswith("http://") and urlsplit(value).hostname not in _LOOPBACK
        ):
            raise ValueError("expected a gateway's URL such as https://edi.example.com")
        return value.rstrip("/")
    scheme, separator, _ = value.partition("://")
    if separator:
        urlsplit(value)  # raises ValueError for brackets that do not match
    if separator and scheme.partition("+")[0] not in _STORES:
        raise ValueError("expected a folder, or a URL that begins with sqlite://, postgresql:// or https://")
    return value


def is_gateway(state: str) -> bool:
    """Say whether a live side is at a gateway elsewhere, rather than in a store at hand."""
    return state.startswith(("https://", "http://"))


def _is_object_store(value: str) -> str:
    if not _is_url(value, _OBJECT_STORES) or "@" in value:
        raise ValueError(
            "expected a URL without credentials, such as s3://bucket/prefix, gs://bucket or az://container"
        )
    return value.rstrip("/")


def check_mail_address(value: str) -> str:
    """Return the mail address as it is. Raises ValueError when it is none."""
    if not re.fullmatch(r"[^@\s<>,;]+@[^@\s<>,;]+", value):
        raise ValueError(f"expected a mail address such as edi@example.com, got '{value}'")
    return value


MailAddress = Annotated[str, AfterValidator(check_mail_address), Field(json_schema_extra={"format": "email"})]
StateLocation = Annotated[str, Field(min_length=1), AfterValidator(check_state)]


class TlsCertificate(Noun):
    """A certificate that the HTTP server shows, in files of its machine, which are read again when they change."""

    certificate: str = Field(
        min_length=1,
        description="The certificate, and behind it those that lead to its authority, PEM. Paths are relative to "
        "reconciler.yaml.",
        examples=["/etc/letsencrypt/live/edi.example.com/fullchain.pem"],
    )
    key: str = Field(
        min_length=1,
        description="Its private key, PEM, not encrypted; for the gateway's eyes alone.",
        examples=["/etc/letsencrypt/live/edi.example.com/privkey.pem"],
    )
    active_from: AwareDatetime | None = Field(
        default=None, description="From when on it is shown. Default: from when it is valid."
    )


class HttpGateway(Noun):
    """The HTTP server: AS2, the admin API and the integrations page."""

    listen: Listen = Field(
        default=Listen(host="127.0.0.1", port=8080),
        description="Where the HTTP server listens.",
        examples=["0.0.0.0:8080"],
    )
    public_url: Annotated[str, AfterValidator(_is_web_url)] | None = Field(
        default=None,
        description="The URL under which partners reach the HTTP server. Default: where it listens.",
        examples=["https://edi.example.com"],
    )
    tls: tuple[TlsCertificate, ...] = Field(
        default=(),
        description="The certificates with which the HTTP server speaks TLS; of those that are valid, the one that "
        "began last is shown. Default: none, TLS is spoken by a proxy before it.",
    )
    source_url: str | None = Field(
        default=None,
        description="A template of links from the pages into git, with {commit}, {file} and {line}.",
        examples=["https://git.example.com/edi/config/blob/{commit}/{file}#L{line}"],
    )

    @property
    def url(self) -> str:
        """The URL under which partners reach the HTTP server, without a slash at the end."""
        return self.public_url or f"{self.scheme}://{self.listen}"

    @property
    def scheme(self) -> str:
        """What is spoken where the HTTP server listens."""
        return "https" if self.tls else "http"


class SmtpGateway(Noun):
    """The mail server that notifications are handed to. The URL can hold a password, so it is in no repr."""

    url: Annotated[str, AfterValidator(_is_mail_url)] = Field(
        repr=False,
        description="The mail server; smtps:// speaks TLS from the first byte.",
        examples=["smtp://127.0.0.1:25"],
    )
    sender: MailAddress = Field(
        alias="from", description="The address that notifications come from.", examples=["edi@example.com"]
    )
    password: SecretSource | None = Field(
        default=None, description="Where the password of the URL's user is, so that it need not stand in the URL."
    )

    @model_validator(mode="after")
    def _password_has_a_user(self) -> Self:
        parts = urlsplit(self.url)
        if self.password is not None and (not parts.username or parts.password):
            raise ValueError(
                "password belongs to a URL with a user and without a password: smtps://user@mail.example.com"
            )
        return self


class GatewaySettings(Noun):
    """How this gateway is reached. What is left out has the defaults of one that serves its own machine alone."""

    sftp: SftpGateway = Field(default=SftpGateway(), description="The SFTP server.")
    http: HttpGateway = Field(default=HttpGateway(), description="The HTTP server: AS2, admin API, integrations page.")
    smtp: SmtpGateway | None = Field(
        default=None, description="The mail server for notifications. Without it none can be sent."
    )
    notifications: NotificationSettings = Field(
        default=NotificationSettings(), description="How mailboxes' notification addresses are told."
    )
    oidc: OidcGateway | None = Field(
        default=None, description="Signing in by OpenID Connect. Without it a token signs in."
    )
    metrics: MetricsGateway | None = Field(default=None, description="A listener of their own for metrics and health.")
    traces: TracesGateway | None = Field(default=None, description="Where OpenTelemetry traces go. Default: nowhere.")


class LimitsDocument(Noun):
    """How much one plan may destroy without being told the number by --allow-destroy."""

    destroy: dict[Kind, Annotated[int, Field(ge=0)]] = Field(
        default_factory=dict, description="The most of a kind that is destroyed at once.", examples=[{"mailbox": 5}]
    )


class ProjectDocument(Noun):
    """`reconciler.yaml`: the root of a configuration, and what concerns the gateway as a whole."""

    version: Literal[1] = Field(description="The version of this language.")
    state: StateLocation = Field(
        default=".reconciler",
        repr=False,
        description="Where the live side is kept: a folder beside this file, a database's URL, or a gateway's URL, "
        "which is asked with the token in RECONCILER_TOKEN.",
        examples=[".reconciler", "postgresql://reconciler@db.example.com/reconciler", "https://edi.example.com"],
    )
    payloads: Annotated[str, AfterValidator(_is_object_store)] | None = Field(
        default=None,
        description="Where large payloads lie, for gateways on several machines: an object store; its credentials come "
        "from the environment. Default: the state's folder.",
        examples=["s3://bucket/prefix", "gs://bucket", "az://container"],
    )
    gateway: GatewaySettings = Field(default=GatewaySettings(), description="The gateway.")
    alerts: Alerts | None = Field(default=None, description="Who is told when the gateway itself needs somebody.")
    retention: Retention = Field(default=Retention(), description="For how long what is done is kept.")
    limits: LimitsDocument = Field(default=LimitsDocument(), description="How much a plan may destroy.")
    vars: VariableValues = Field(default_factory=dict)
