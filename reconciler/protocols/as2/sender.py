"""Posting to partners: files, with a judgement of the MDN in the answer, and asynchronous MDNs."""

import base64
import os
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from threading import Lock

import httpx

from reconciler.errors import ReconcilerError
from reconciler.model.source_file import ContentReader
from reconciler.protocols.as2 import building, tls
from reconciler.protocols.as2.address import Target, same_origin, target
from reconciler.protocols.as2.der import Bytes
from reconciler.protocols.as2.mdn import check_mdn
from reconciler.protocols.as2.ports import Answer, DeliveryError, Expectation, MdnOutcome, Outgoing, Post, Sent
from reconciler.protocols.as2.relation import Relation
from reconciler.protocols.protocol import Partner

TIMEOUT = 120.0
"""Seconds that a post may take to a server of which nothing is declared."""

_LARGEST_ANSWER = 1024 * 1024
_MOST_CLIENTS = 256
_SUCCESS = range(200, 300)
_RETRYABLE = frozenset({401, 403, 408, 425, 429, *range(500, 600)})
"""401 and 403 among them: a partner that is switched off or changes passwords is so for a while."""


def expect(partner: Partner, post: Post, *, content: ContentReader) -> Expectation:
    """Return what the MDN of a post has to say, to be stored before the first try. Raises DeliveryError."""
    try:
        return building.expectation(Relation(partner, content), post)
    except (ValueError, ReconcilerError) as error:
        raise DeliveryError(f"the message cannot be built: {error}", retryable=False) from error


class Sender:
    """Posts to all partners. Thread-safe; keeps a client, with its connections, for each partner's server.

    `timeout` is the seconds that a post may take, instead of what each partner's declaration says.
    """

    def __init__(
        self, content: ContentReader, *, timeout: float | None = None, async_mdn_url: str | None = None
    ) -> None:
        self._content = content
        self._timeout = timeout
        self._async_mdn_url = async_mdn_url
        self._clients: OrderedDict[object, httpx.Client] = OrderedDict()
        self._lock = Lock()

    def post(self, partner: Partner, post: Post) -> Sent:
        """Post a file to the partner; the outcome is in `mdn` where the MDN is in the answer.

        A partner that is asked for an asynchronous one may answer at once; what is no proof then is no MDN.
        Redirects are not followed and no proxy of the environment is used. Raises DeliveryError when the partner's
        server did not take the message.
        """
        now = datetime.now(UTC)
        try:
            relation = Relation(partner, self._content)
            expected = building.expectation(relation, post)
            entity = building.build_message(relation, post, now=now, async_mdn_url=self._async_mdn_url)
            certificates = relation.certificates_to_verify(now)
        except (ValueError, ReconcilerError) as error:
            raise DeliveryError(f"the message cannot be built: {error}", retryable=False) from error
        wire = self._exchange(relation, relation.recipient.url, dict(entity.headers.items()), entity.body)
        sent = Sent(mic=expected.mic, mic_algorithm=expected.mic_algorithm, wire=wire)
        mode = relation.settings.mdn
        if mode == "none":
            return sent
        verdict = check_mdn(
            expected,
            wire.answer_headers,
            wire.answer,
            certificates,
            now=datetime.now(UTC),
            digests=relation.digests,
            quirks=relation.settings.quirks,
        )
        return sent if mode == "async" and verdict.outcome is MdnOutcome.DOUBTFUL else replace(sent, mdn=verdict)

    def post_mdn(self, partner: Partner, url: str, mdn: Answer) -> Outgoing:
        """Post an MDN to the URL that a message named. Raises DeliveryError when it is not taken."""
        try:
            return self._exchange(Relation(partner, self._content), url, mdn.headers, mdn.body)
        except DeliveryError as error:
            raise DeliveryError(f"the MDN was not delivered: {error}", retryable=error.retryable) from error

    def close(self) -> None:
        """End all connections."""
        with self._lock:
            while self._clients:
                self._clients.popitem()[1].close()

    def _exchange(self, relation: Relation, url: str, headers: Mapping[str, str], body: Bytes) -> Outgoing:
        recipient = relation.recipient
        # What the declaration allows, it allows for the partner's own server; a URL inside a message is not that.
        is_declared = same_origin(url, recipient.url)
        where = target(url, allow_private=recipient.allow_private and is_declared)
        client = self._client(relation if is_declared else None, where)
        secret = _authorization(relation) if is_declared else {}
        wire = Outgoing(
            started_at=datetime.now(UTC), seconds=0, headers={**headers, "Host": where.host}, wire_size=len(body)
        )
        seconds = self._timeout or (recipient.timeout if is_declared else TIMEOUT)
        return _Try(client, where, wire, secret, seconds, time.monotonic() + seconds).run(body)

    def _client(self, relation: Relation | None, where: Target) -> httpx.Client:
        """Return the client for a server: connections are shared by what goes to it under one declaration only."""
        key: object = (where.host, where.urls)
        if relation is not None:
            client_key = relation.tls_client(datetime.now(UTC))
            declared = relation.recipient.tls
            key = (key, relation.mailbox, declared, client_key.fingerprint if client_key else None)
        with self._lock:
            client = self._clients.pop(key, None) or self._new_client(relation, where)
            self._clients[key] = client
            if len(self._clients) > _MOST_CLIENTS:
                # Not closed: a thread may be using it. Its connections end when it is forgotten.
                self._clients.popitem(last=False)
        return client

    def _new_client(self, relation: Relation | None, where: Target) -> httpx.Client:
        try:
            if not where.is_tls:
                context = tls.plain_context()
            elif relation is None:
                context = tls.default_context()
            else:
                context = tls.server_context(relation, datetime.now(UTC))
        except (OSError, ValueError, ReconcilerError) as error:
            raise DeliveryError(f"the connection cannot be secured: {error}", retryable=False) from error
        limits = httpx.Limits(max_keepalive_connections=4, keepalive_expiry=15)
        return httpx.Client(trust_env=False, follow_redirects=False, verify=context, limits=limits)


@dataclass(frozen=True, slots=True)
class _Try:
    """One post over the wire."""

    client: httpx.Client
    where: Target
    wire: Outgoing
    secret: Mapping[str, str]
    seconds: float
    deadline: float

    def run(self, body: Bytes) -> Outgoing:
        """Return what the server answered. Raises DeliveryError, with what went over the wire."""
        *others, last = self.where.urls
        for url in others:
            try:
                return self._post(url, body)
            except httpx.ConnectError:
                continue  # a host has several addresses so that one of them may be down
            except httpx.HTTPError as error:
                raise self._failed(error) from error
        try:
            return self._post(last, body)
        except httpx.HTTPError as error:
            raise self._failed(error) from error

    def _post(self, url: str, body: Bytes) -> Outgoing:
        fixed = {"Accept-Encoding": "identity", "User-Agent": "Reconciler"}
        answer = bytearray()
        with self.client.stream(
            "POST",
            url,
            content=bytes(body),
            headers={**self.wire.headers, **fixed, **self.secret},
            timeout=self.seconds,
            extensions={"sni_hostname": self.where.host_name},
        ) as response:
            for chunk in response.iter_raw():
                answer += chunk
                if len(answer) > _LARGEST_ANSWER or time.monotonic() > self.deadline:
                    raise DeliveryError(
                        "the answer is too long or too slow", retryable=True, wire=self._seen(response, b"")
                    )
        wire = self._seen(response, bytes(answer))
        if response.status_code not in _SUCCESS:
            raise DeliveryError(
                f"the partner answered with HTTP {response.status_code}",
                retryable=response.status_code in _RETRYABLE,
                retry_after=_seconds(response.headers.get("retry-after"), self.wire.started_at),
                wire=wire,
            )
        return wire

    def _seen(self, response: httpx.Response, answer: bytes) -> Outgoing:
        headers = dict(response.headers)
        seconds = (datetime.now(UTC) - self.wire.started_at).total_seconds()
        return replace(self.wire, seconds=seconds, status=response.status_code, answer_headers=headers, answer=answer)

    def _failed(self, error: httpx.HTTPError) -> DeliveryError:
        reason = str(error) or type(error).__name__
        seconds = (datetime.now(UTC) - self.wire.started_at).total_seconds()
        wire = replace(self.wire, seconds=seconds)
        return DeliveryError(f"the partner cannot be reached: {reason}", retryable=True, wire=wire)


def _authorization(relation: Relation) -> dict[str, str]:
    auth = relation.recipient.basic_auth
    if auth is None:
        return {}
    password = os.environ.get(auth.password_env)
    if password is None:
        raise DeliveryError(f"the environment variable {auth.password_env} is not set", retryable=True)
    return {"Authorization": "Basic " + base64.b64encode(f"{auth.user}:{password}".encode()).decode()}


def _seconds(retry_after: str | None, now: datetime) -> float | None:
    """Return what Retry-After asks for, seconds or a date (RFC 9110 section 10.2.3), in seconds."""
    if retry_after is None:
        return None
    if retry_after.isascii() and retry_after.isdecimal():
        return float(retry_after)
    try:
        date = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    return max(0.0, (date - now).total_seconds()) if date.tzinfo else None
