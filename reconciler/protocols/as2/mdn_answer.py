"""Acknowledging a message: what kind of MDN the sender asks for (RFC 4130 section 7.3), and that MDN."""

import re
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from hashlib import sha256
from typing import Self

from reconciler.protocols.as2.algorithms import MIC_DIGESTS
from reconciler.protocols.as2.as2_name import quoted
from reconciler.protocols.as2.building import AS2_VERSION, EDIINT_FEATURES
from reconciler.protocols.as2.cms import Identity
from reconciler.protocols.as2.disposition import Disposition, RefusedMessageError
from reconciler.protocols.as2.mdn import digest_name
from reconciler.protocols.as2.message import Opened
from reconciler.protocols.as2.mime import Entity, multipart
from reconciler.protocols.as2.ports import Answer
from reconciler.protocols.as2.smime import sign

_TEXTS = {True: "The message was received and accepted.", False: "The message was not accepted."}


@dataclass(frozen=True, slots=True)
class MdnRequest:
    """What the sender of a message asks for.

    `digest` is the first of the digests it names that we have, None when it names none that we have; `spelling` is
    how it writes that one, for the MDN writes it likewise.
    """

    wanted: bool
    signed: bool = False
    digest: str | None = None
    spelling: str = ""
    url: str | None = None
    unsupported: Disposition | None = None

    @classmethod
    def of(cls, entity: Entity, digests: frozenset[str] = MIC_DIGESTS) -> Self:
        """Read the headers of a message; `digests` are those we give. Options come in any order and case."""
        if not entity.headers.get("Disposition-Notification-To"):
            return cls(wanted=False)
        options = _options(str(entity.headers.get("Disposition-Notification-Options", "")))
        importance, protocols = options.get("signed-receipt-protocol", ("", ()))
        signed = "pkcs7-signature" in (protocol.lower() for protocol in protocols)
        unsupported = Disposition.UNSUPPORTED_FORMAT if importance == "required" and not signed else None
        importance, named = options.get("signed-receipt-micalg", ("", ()))
        spelling = next((each for each in named if digest_name(each) in digests), "")
        if importance == "required" and named and not spelling:
            unsupported = Disposition.UNSUPPORTED_MIC
        url = str(entity.headers.get("Receipt-Delivery-Option", "")).strip()
        return cls(True, signed, digest_name(spelling) or None, spelling, url or None, unsupported)

    def check(self) -> None:
        """Raise RefusedMessageError when the sender requires what we do not have (RFC 4130 section 7.5.3)."""
        if self.unsupported is not None:
            raise RefusedMessageError(self.unsupported, "the requested MDN is not supported")


def _options(text: str) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return name → importance and values, names and importance in lower case. Some leave out the importance."""
    options: dict[str, tuple[str, tuple[str, ...]]] = {}
    for option in text.split(";"):
        name, _, value = option.partition("=")
        importance, *values = (part.strip().strip("\"'") for part in value.split(","))
        if importance.lower() not in {"required", "optional"}:
            importance, values = "optional", [importance, *values]
        options.setdefault(name.strip().lower(), (importance.lower(), tuple(filter(None, values))))
    return options


def build_mdn(
    request: MdnRequest,
    disposition: Disposition,
    *,
    as2_from: str,
    as2_to: str,
    message_id: str,
    opened: Opened | None,
    identity: Identity | None,
    now: datetime,
    text: str = "",
) -> Answer:
    """Return the MDN for a message, signed when the sender asked for it and an identity is given.

    `as2_from` and `as2_to` are the names in the MDN's own headers: ours and the partner's. `message_id` is as the
    message writes it, since some senders compare it letter by letter.
    """
    fields = [
        ("Reporting-UA", "Reconciler"),
        ("Original-Recipient", f"rfc822; {quoted(as2_from)}"),
        ("Final-Recipient", f"rfc822; {quoted(as2_from)}"),
        ("Original-Message-ID", message_id),
        ("Disposition", f"automatic-action/MDN-sent-automatically; {disposition}"),
    ]
    digest = request.digest or "sha256"
    if opened is not None:
        digest = request.digest or opened.digest
        same = request.digest == opened.digest
        fields.append(("Received-Content-MIC", f"{opened.mic}, {request.spelling if same else opened.digest}"))
    said = f"{_TEXTS[disposition is Disposition.PROCESSED]} {text}".strip()
    report = multipart(
        "report; report-type=disposition-notification",
        [
            Entity.of([("Content-Type", "text/plain; charset=us-ascii")], _line(said)),
            Entity.of(
                [("Content-Type", "message/disposition-notification")],
                b"".join(_line(f"{name}: {value}") for name, value in fields),
            ),
        ],
    )
    entity = sign(report, identity, digest) if request.signed and identity is not None else report
    headers = {
        **dict(entity.headers.items()),
        "MIME-Version": "1.0",
        "AS2-Version": AS2_VERSION,
        "EDIINT-Features": EDIINT_FEATURES,
        "AS2-From": quoted(as2_from),
        "AS2-To": quoted(as2_to),
        "Message-ID": f"<{sha256(entity.raw).hexdigest()[:40]}@mdn>",
        "Date": format_datetime(now),
    }
    return Answer(200, headers, bytes(entity.body))


def _line(text: str) -> bytes:
    return re.sub(r"[^ -~]", "?", text).encode() + b"\r\n"
