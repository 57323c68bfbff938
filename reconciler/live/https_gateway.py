"""A gateway's admin API as a client sees it: requests out, and problems (RFC 9457) back as the errors that they are."""

from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from reconciler import __version__
from reconciler.errors import BlobError, LeaseLostError, NotFoundError, PlanRefusedError, ReconcilerError
from reconciler.model.credential import Secret

TIMEOUT = httpx.Timeout(30.0, read=600.0)
"""Seconds: applying generates keys, which takes as long as it takes."""

PAGE = 1000

_ERRORS: Mapping[str, type[ReconcilerError]] = {
    "not_found": NotFoundError,
    "plan_refused": PlanRefusedError,
    "payload_missing": BlobError,
    "lease_lost": LeaseLostError,
}


class HeldElsewhereError(ReconcilerError):
    """Another has the lease."""


class GatewayClient:
    """Speaks to one gateway. `url` is its public URL; the token says who asks."""

    def __init__(self, url: str, token: Secret, *, transport: httpx.BaseTransport | None = None) -> None:
        self.url = url
        self._http = httpx.Client(
            base_url=f"{url.rstrip('/')}/api/v1",
            headers={"Authorization": f"Bearer {token.reveal()}", "User-Agent": f"reconciler/{__version__}"},
            timeout=TIMEOUT,
            transport=transport,
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def json(self, method: str, path: str, *, body: object = None, **query: object) -> Any:  # noqa: ANN401 - a JSON document
        """Return what a call answers. Raises the error that the gateway's problem stands for."""
        response = self._send(method, path, query, json=body if body is not None else None)
        return response.json() if response.content else None

    def content(self, path: str) -> bytes:
        """Return a file. Raises the error that the gateway's problem stands for."""
        return self._send("GET", path, {}).content

    def post_content(self, path: str, content: bytes, **query: object) -> Any:  # noqa: ANN401 - a JSON document
        """Send a file and return what that answers."""
        headers = {"Content-Type": "application/xml"}
        return self._send("POST", path, query, content=content, headers=headers).json()

    def items(self, path: str, *, offset: int, limit: int, **query: object) -> Iterator[Any]:
        """Yield up to `limit` items of a list, asking for as many pages as that takes."""
        while limit > 0:
            page = self.json("GET", path, offset=offset, limit=min(limit, PAGE), **query)
            yield from page["items"]
            limit -= len(page["items"])
            if page["next_offset"] is None:
                return
            offset = page["next_offset"]

    def _send(self, method: str, path: str, query: Mapping[str, object], **request: Any) -> httpx.Response:  # noqa: ANN401 - httpx's
        params = {
            name: [str(item) for item in value] if isinstance(value, list) else str(value)
            for name, value in query.items()
            if value not in (None, "", False)
        }
        try:
            response = self._http.request(method, path, params=params, **request)
        except httpx.HTTPError as error:
            raise ReconcilerError(f"{self.url} cannot be reached: {error}") from error
        if response.is_success:
            return response
        raise _error(response, self.url)


def _error(response: httpx.Response, url: str) -> ReconcilerError:
    try:
        problem = response.json()
        code, detail = str(problem["code"]), str(problem["detail"])
    except (ValueError, KeyError, TypeError):
        return ReconcilerError(f"{url} answered with HTTP {response.status_code}; is it a gateway?")
    if code == "held":
        return HeldElsewhereError(detail)
    if code == "unauthorized":
        return ReconcilerError(f"{url} does not accept the token. Set RECONCILER_TOKEN to a valid one.")
    return _ERRORS.get(code, ReconcilerError)(detail)
