"""How the gateway is operated: who signs in, who is told, what is measured, and for how long things are kept."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from reconciler.desired.listen import Listen
from reconciler.model.duration import Duration, parse_duration
from reconciler.model.noun import Noun
from reconciler.model.secret_source import SecretSource

RoleName = Literal["viewer", "operator", "admin"]

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def _is_issuer(value: str) -> str:
    parts = urlsplit(value)
    is_secret = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    if not is_secret or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("expected the provider's https:// URL, such as https://login.example.com/realms/acme")
    return value.rstrip("/")


def _is_collector(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("expected a collector's URL, such as http://127.0.0.1:4318")
    return value.rstrip("/")


class OidcGateway(Noun):
    """Signing in to the pages by OpenID Connect: authorization code with PKCE; the group decides on the role."""

    issuer: Annotated[str, AfterValidator(_is_issuer)] = Field(
        description="The provider's URL, below which /.well-known/openid-configuration lies.",
        examples=["https://login.example.com/realms/acme"],
    )
    client_id: str = Field(min_length=1, description="The name under which the provider knows this gateway.")
    client_secret: SecretSource | None = Field(
        default=None, description="Where the client's secret is, if the provider gave it one."
    )
    scopes: tuple[str, ...] = Field(
        default=("openid", "profile", "email"), description="What the provider is asked for; openid is needed."
    )
    groups_claim: str = Field(default="groups", min_length=1, description="The claim that lists a person's groups.")
    roles: dict[str, RoleName] = Field(
        min_length=1,
        description="The role of each group; of several, the highest counts. Who is in none is not let in.",
        examples=[{"edi-admins": "admin", "edi-support": "operator"}],
    )
    accounts: dict[str, str] = Field(
        default_factory=dict,
        description="Groups whose members reach one account only.",
        examples=[{"acme-staff": "acme"}],
    )


class MetricsGateway(Noun):
    """Where Prometheus finds /metrics, /healthz and /readyz, without a token, apart from the HTTP server."""

    listen: Listen = Field(
        description="Where the listener for metrics listens. Without it, /metrics is with the HTTP server and takes a "
        "viewer's token.",
        examples=["127.0.0.1:9464"],
    )


class TracesGateway(Noun):
    """Where OpenTelemetry traces go, over OTLP and HTTP: one trace from an upload to its deliveries."""

    endpoint: Annotated[str, AfterValidator(_is_collector)] = Field(
        description="The collector's URL; traces are posted to /v1/traces below it.", examples=["http://127.0.0.1:4318"]
    )


class NotificationSettings(Noun):
    """How mailboxes' notification addresses are told."""

    interval: Duration = Field(
        default=parse_duration("15m"),
        description="Failed conversions of a mailbox are told in one mail an interval; the first at once.",
        examples=["15m", "1h"],
    )
    first: int = Field(default=10, ge=1, le=100, description="How many failures such a mail lists; it counts the rest.")
    templates: str | None = Field(
        default=None,
        description="A folder, relative to reconciler.yaml, whose templates go before the built-in ones of that name: "
        "failures.txt, failures.html, arrival.txt, arrival.html, ending.txt, ending.html, doubt.txt, doubt.html.",
        examples=["mail-templates"],
    )


class Alerts(Noun):
    """Who operates the gateway, and when they are told: each thing once, until it is over."""

    urls: tuple[SecretSource, ...] = Field(
        min_length=1,
        description="Where the Apprise URLs of the channels are; such a URL holds secrets.",
        examples=[[{"secret": "env:ALERT_URL"}]],
    )
    disk_free: float = Field(
        default=10.0, gt=0, lt=100, description="Per cent of the disk below which what is free is too little."
    )
    repeat: Duration = Field(
        default=parse_duration("24h"), description="What is not over after this time is told again."
    )


class Retention(Noun):
    """For how long what is done is kept; left out: for ever."""

    log: Duration | None = Field(
        default=None, description="The conversion log, with envelopes that are closed.", examples=["90d"]
    )
    payloads: Duration | None = Field(
        default=None,
        description="The input and output files of the log; the record outlives them. At least a day.",
        examples=["30d"],
    )
    audit: Duration | None = Field(default=None, description="The audit trail of the admin API.", examples=["365d"])
    archive: str | None = Field(
        default=None,
        description="A folder, relative to reconciler.yaml, where what is forgotten is written first: a folder a day."
        " Left out: nowhere.",
        examples=["archive"],
    )
