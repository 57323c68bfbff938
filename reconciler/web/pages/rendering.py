"""Templates to responses, with the headers that keep a page from doing what it was not written to do."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

STATIC = Path(__file__).parents[1] / "static"

HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Cache-Control": "no-store",
    }
)


@cache
def static_url(name: str) -> str:
    """Return the URL of a static file, another one whenever its content is another."""
    return f"/static/{name}?v={sha256((STATIC / name).read_bytes()).hexdigest()[:12]}"


def _moment(value: datetime | None) -> str:
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if value else ""


def _days(value: datetime) -> int:
    return (value - datetime.now(UTC)).days


def _query(current: Mapping[str, str], **changes: object) -> str:
    """Return a query string: the current one with some values changed, or (empty) left out."""
    values = {name: value for name, value in ({**current, **changes}).items() if value not in ("", None, False)}
    return "?" + urlencode(values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parents[1] / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"moment": _moment, "days": _days}
    environment.globals |= {"static": static_url, "query": _query}
    return environment


def rendered(template: str, *, status: int = 200, **context: object) -> HTMLResponse:
    """Return a page."""
    return HTMLResponse(_environment().get_template(template).render(context), status, dict(HEADERS))
