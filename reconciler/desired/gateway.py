"""The gateway's own settings: where it listens, how the outside reaches it, and by which server its mail leaves."""

import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from reconciler.model.noun import Noun

_LISTEN = re.compile(r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<host>[^\s:\[\]/]+)):(?P<port>[0-9]{1,5})")
_PORTS = range(65536)
_STORES = ("sqlite", "postgresql")


class Listen(Noun):
    """An address to listen on, written `host:port` or `[::1]:port`. Port 0 lets the system choose."""

    host: str
    port: int

    @model_validator(mode="before")
    @classmethod
    def _parse(cls, value: Any) -> Any:  # noqa: ANN401 - the type is what is being found out
        if not isinstance(value, str):
            return value
        parts = _LISTEN.fullmatch(value)
        if parts is None or int(parts["port"]) not in _PORTS:
            raise ValueError(f"expected host:port, such as 127.0.0.1:2222 or [::1]:2222, got '{value}'")
        return {"host": parts["ipv6"] or parts["host"], "port": int(parts["port"])}

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def __get_pydantic_json_schema__(cls, _schema: CoreSchema, _handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Describe what an author writes."""
        return {"type": "string", "pattern": ":[0-9]{1,5}$", "description": "host:port; port 0 lets the system choose."}


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


def _is_state(value: str) -> str:
    scheme, separator, _ = value.partition("://")
    if separator and scheme.partition("+")[0] not in _STORES:
        raise ValueError("expected a folder, or a URL that begins with sqlite:// or postgresql://")
    return value


def check_mail_address(value: str) -> str:
    """Return the mail address as it is. Raises ValueError when it is none."""
    if not re.fullmatch(r"[^@\s<>,;]+@[^@\s<>,;]+", value):
        raise ValueError(f"expected a mail address such as edi@example.com, got '{value}'")
    return value


MailAddress = Annotated[str, AfterValidator(check_mail_address), Field(json_schema_extra={"format": "email"})]
StateLocation = Annotated[str, Field(min_length=1), AfterValidator(_is_state)]


class SftpGateway(Noun):
    """The SFTP server."""

    listen: Listen = Field(
        default=Listen(host="127.0.0.1", port=2222),
        description="Where the SFTP server listens.",
        examples=["0.0.0.0:2222", "[::]:2222"],
    )
    public_host: str | None = Field(
        default=None,
        min_length=1,
        description="The host name that partners are told to connect to. Default: where it listens.",
        examples=["edi.example.com"],
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


class GatewaySettings(Noun):
    """How this gateway is reached. What is left out has the defaults of one that serves its own machine alone."""

    sftp: SftpGateway = Field(default=SftpGateway(), description="The SFTP server.")
    http: HttpGateway = Field(default=HttpGateway(), description="The HTTP server: AS2, admin API, integrations page.")
    smtp: SmtpGateway | None = Field(
        default=None, description="The mail server for notifications. Without it none can be sent."
    )


class ProjectDocument(Noun):
    """`reconciler.yaml`: the root of a configuration, and what concerns the gateway as a whole."""

    version: Literal[1] = Field(description="The version of this language.")
    state: StateLocation = Field(
        default=".reconciler",
        repr=False,
        description="Where the live side is kept: a folder beside this file, or a database's URL.",
        examples=[".reconciler", "postgresql://reconciler@db.example.com/reconciler"],
    )
    gateway: GatewaySettings = Field(default=GatewaySettings(), description="The gateway.")
