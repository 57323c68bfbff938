"""Posting a file to a partner and judging the MDN in the answer."""

import time
from collections.abc import Iterable
from datetime import UTC, datetime

import httpx

from reconciler.errors import ReconcilerError
from reconciler.model.source_file import ContentReader
from reconciler.protocols.as2 import message as as2_message
from reconciler.protocols.as2.mdn import check_mdn
from reconciler.protocols.as2.ports import DeliveryError, Expectation, Post, Sent
from reconciler.protocols.as2.relation import Relation
from reconciler.protocols.protocol import Partner

TIMEOUT = 120.0
"""Seconds that a post may take from the first byte sent to the last byte of the answer."""

_LARGEST_ANSWER = 1024 * 1024
_SUCCESS = range(200, 300)
_RETRYABLE = frozenset({408, 425, 429, *range(500, 600)})


def expect(partner: Partner, post: Post, *, content: ContentReader) -> Expectation:
    """Return what the MDN of a post has to say, to be stored before the first try. Raises DeliveryError."""
    try:
        return as2_message.expectation(Relation(partner, content), post)
    except (ValueError, ReconcilerError) as error:
        raise DeliveryError(f"the message cannot be built: {error}", retryable=False) from error


def post_file(
    partner: Partner,
    post: Post,
    *,
    content: ContentReader,
    timeout: float = TIMEOUT,
    async_mdn_url: str | None = None,
) -> Sent:
    """Post a file to the partner; the outcome is in `mdn` where the MDN is synchronous.

    `timeout` is in seconds. Redirects are not followed and no proxy of the environment is used. Raises DeliveryError
    when the partner's server did not take the message.
    """
    now = datetime.now(UTC)
    try:
        relation = Relation(partner, content)
        expected = as2_message.expectation(relation, post)
        entity = as2_message.build_message(relation, post, now=now, async_mdn_url=async_mdn_url)
        url = relation.recipient.url
        certificates = relation.certificates
    except (ValueError, ReconcilerError) as error:
        raise DeliveryError(f"the message cannot be built: {error}", retryable=False) from error
    status, headers, body = _exchange(url, list(entity.headers.items()), entity.body, timeout)
    if relation.settings.mdn != "sync":
        return Sent(mic=expected.mic, mic_algorithm=expected.mic_algorithm, status=status)
    return Sent(
        mic=expected.mic,
        mic_algorithm=expected.mic_algorithm,
        status=status,
        mdn=check_mdn(expected, headers, body, certificates, now=datetime.now(UTC)),
        mdn_headers=headers,
        mdn_body=body,
    )


def _exchange(
    url: str, headers: Iterable[tuple[str, str]], body: bytes, timeout: float
) -> tuple[int, dict[str, str], bytes]:
    deadline = time.monotonic() + timeout
    sent_headers = [*headers, ("Accept-Encoding", "identity"), ("User-Agent", "Reconciler")]
    try:
        with (
            httpx.Client(trust_env=False, timeout=timeout, follow_redirects=False) as client,
            client.stream("POST", url, content=body, headers=sent_headers) as response,
        ):
            answer = bytearray()
            for chunk in response.iter_raw():
                answer += chunk
                if len(answer) > _LARGEST_ANSWER or time.monotonic() > deadline:
                    raise DeliveryError("the answer is too long or too slow", retryable=True)
            status, answer_headers = response.status_code, dict(response.headers)
    except httpx.InvalidURL as error:
        raise DeliveryError(f"the recipient's URL cannot be used: {error}", retryable=False) from error
    except httpx.HTTPError as error:
        reason = str(error) or type(error).__name__
        raise DeliveryError(f"the partner cannot be reached: {reason}", retryable=True) from error
    if status not in _SUCCESS:
        raise DeliveryError(
            f"the partner answered with HTTP {status}",
            retryable=status in _RETRYABLE,
            retry_after=_seconds(answer_headers.get("retry-after")),
        )
    return status, answer_headers, bytes(answer)


def _seconds(retry_after: str | None) -> float | None:
    return float(retry_after) if retry_after is not None and retry_after.isdecimal() else None
