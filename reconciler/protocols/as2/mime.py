"""MIME entities byte for byte: what is signed or hashed is never parsed and written again.

The standard library's parser reads headers only. Bodies are cut out of the received bytes, since flattening a parsed
message rewrites line ends, folds headers and so changes what was signed.
"""

import base64
import quopri
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import HeaderParser
from email.utils import collapse_rfc2231_value
from typing import Any, Self
from urllib.parse import quote

from reconciler.protocols.as2.der import Bytes

_HEADER_LINE = re.compile(rb"[A-Za-z0-9_-]+[ \t]*:")
_BEHIND_A_WORD = re.compile(r"[\s;(]")
_EMPTY_LINE = re.compile(rb"\r?\n\r?\n")
_FORBIDDEN_IN_NAMES = re.compile(r'[\\/:?*<>|"\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]')
_ENCODED = frozenset({"base64", "quoted-printable"})
_IN_QUOTES = re.compile(r'"((?:[^"\\]|\\.)*)"')
_NEVER_QUOTED = frozenset({"content-type", "content-transfer-encoding", "message-id"})
_LONGEST_NAME = 200
_LARGEST_HEADERS = 64 * 1024
_MOST_PARTS = 100


@dataclass(frozen=True, slots=True)
class Entity:
    """Headers and body. `raw` is the whole as it was received or will be sent, `body` its part after the headers.

    What is cut out of a view is a view: the content of a large message is not copied.
    """

    headers: Message
    body: Bytes
    raw: Bytes

    @classmethod
    def parse(cls, raw: Bytes) -> Self:
        """Read an entity; bytes that do not begin with a header line are all body."""
        begin = bytes(raw[:2])
        if begin == b"\r\n" or begin[:1] == b"\n":
            return cls(Message(), raw[begin.index(b"\n") + 1 :], raw)
        end = _EMPTY_LINE.search(raw, 0, _LARGEST_HEADERS)
        if end is None or not _HEADER_LINE.match(raw):
            return cls(Message(), raw, raw)
        return cls(HeaderParser().parsestr(_text(bytes(raw[: end.start()]))), raw[end.end() :], raw)

    @property
    def has_headers(self) -> bool:
        """Say whether there was a header at all."""
        return len(self.headers) > 0

    @classmethod
    def of(cls, headers: Iterable[tuple[str, str]], body: Bytes) -> Self:
        """Make an entity of headers, in their order, and a body. Raises ValueError when a header is not one line."""
        message = Message()
        lines: list[str] = []
        for name, value in headers:
            if not value.isascii() or not value.isprintable():
                raise ValueError(f"the header {name} is not one line of ASCII")
            message[name] = value
            lines.append(f"{name}: {value}\r\n")
        return cls(message, body, b"".join(("".join(lines).encode(), b"\r\n", body)))

    @classmethod
    def received(cls, headers: Iterable[tuple[str, str]], body: Bytes) -> Self:
        """Make an entity of what HTTP delivered; its `raw` is the body, for headers change on the way."""
        message = Message()
        for name, value in headers:
            text = _text(value.encode("latin-1", "replace"))
            message[name] = _unquoted(text) if name.lower() in _NEVER_QUOTED else text
        return cls(message, body, body)

    @property
    def content_type(self) -> str:
        """Type and subtype, in lower case."""
        return self.headers.get_content_type()

    @property
    def file_name(self) -> str | None:
        """The name that the sender gives the content, decoded (RFC 2231, RFC 2047), as it stands there."""
        parameters: list[tuple[str, Any]] = self.headers.get_params([], "content-disposition")
        extended = (value for name, value in parameters if name == "filename" and isinstance(value, tuple))
        # What cannot read RFC 2231 is given another name beside it (RFC 6266 section 4.3).
        name = next(map(collapse_rfc2231_value, extended), None) or self.headers.get_filename()
        return None if name is None else _plain_text(name)

    @property
    def transfer_encoding(self) -> str:
        """The transfer encoding in lower case, without comment and parameters; empty without any."""
        return _BEHIND_A_WORD.split(str(self.headers.get("Content-Transfer-Encoding", "")).strip().lower(), 1)[0]

    def text(self, header: str) -> str:
        """Return a header's value, decoded (RFC 2047); empty when there is none."""
        return _plain_text(str(self.headers.get(header, "")).strip())

    def decoded(self) -> Bytes:
        """Return the body without its transfer encoding. Raises ValueError when that encoding is unknown or broken."""
        match self.transfer_encoding:
            case "base64":
                return base64.b64decode(self.body)
            case "quoted-printable":
                return quopri.decodestring(bytes(self.body))
            case "binary" | "8bit" | "7bit" | "8-bit" | "7-bit" | "":
                return self.body
            case _:
                raise ValueError("the transfer encoding is unknown")

    def parts(self) -> tuple["Entity", ...]:
        """Return the parts of a multipart entity. Raises ValueError when it is not well formed (RFC 2046 5.1.1)."""
        boundary = self.headers.get_boundary()
        if not boundary:
            raise ValueError("the multipart content names no boundary")
        delimiter = b"--" + re.escape(boundary.encode("utf-8", "replace"))
        beginning = re.compile(rb"(?:\A|\n)" + delimiter + rb"[ \t]*(\r?\n)")
        body = self.body
        first = beginning.search(body)
        if first is None and self.transfer_encoding in _ENCODED:
            # RFC 2045 section 6.4 forbids to encode a multipart; some products do.
            body = self.decoded()
            first = beginning.search(body)
        if first is None:
            raise ValueError("the multipart content has no part")
        # The line break before a delimiter belongs to it. All delimiters break lines as the first does; otherwise
        # a CR at the end of binary content would be taken for a part of the break. Only if no end is found so, the
        # parts may break lines in different ways.
        for line_break in (re.escape(first[1]), rb"\r?\n"):
            parts = _parts(body, first.end(), re.compile(line_break + delimiter + rb"(--)?[ \t]*(?:\r?\n|\Z)"))
            if parts is not None:
                return parts
        raise ValueError("the multipart content does not end")


def _parts(body: Bytes, start: int, delimiter: re.Pattern[bytes]) -> tuple[Entity, ...] | None:
    """Return what stands between delimiters; None when the last one is missing. Raises ValueError for too many."""
    parts: list[Entity] = []
    for found in delimiter.finditer(body, start):
        parts.append(Entity.parse(body[start : found.start()]))
        start = found.end()
        if found[1]:
            return tuple(parts)
        if len(parts) == _MOST_PARTS:
            raise ValueError("the multipart content has too many parts")
    return None


def multipart(kind: str, parts: Iterable[Entity], *, boundary: str | None = None) -> Entity:
    """Put entities into one of type `multipart/…`; `kind` is what follows the slash, with its parameters."""
    boundary = boundary or f"=_{secrets.token_hex(24)}"
    delimiter = f"--{boundary}\r\n".encode()
    pieces = [piece for part in parts for piece in (delimiter, part.raw, b"\r\n")]
    body = b"".join((*pieces, f"--{boundary}--\r\n".encode()))
    return Entity.of([("Content-Type", f'multipart/{kind}; boundary="{boundary}"')], body)


def attachment(file_name: str) -> tuple[str, str]:
    """Return the header that names the content's file; a name outside ASCII as RFC 2231 encodes it."""
    name = safe_name(file_name)
    parameter = f'filename="{name}"' if name.isascii() else f"filename*=UTF-8''{quote(name, safe='')}"
    return "Content-Disposition", f"attachment; {parameter}"


def safe_name(name: str) -> str:
    """Return a name fit for a file: no path, no control characters, no leading dots; possibly empty."""
    base = name.replace("\\", "/").rsplit("/", 1)[-1]
    return _FORBIDDEN_IN_NAMES.sub("", base).strip().lstrip(". ")[:_LONGEST_NAME]


def _unquoted(value: str) -> str:
    """Return a header's value without the quotes that some products put around the whole of it."""
    found = _IN_QUOTES.fullmatch(value.strip())
    return re.sub(r"\\(.)", r"\1", found[1]) if found else value


def _plain_text(value: str) -> str:
    if "=?" not in value:
        return value
    try:
        return str(make_header(decode_header(value)))
    except (MessageError, LookupError, ValueError):
        return value


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
