"""ASN.1 without copies: write DER, and walk over BER (X.690) in place.

asn1crypto reads and writes by copying, which for a payload of a hundred megabytes is most of the memory and most of the
time. Only the shells around large content are walked over here; what is small goes through asn1crypto.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

Bytes = bytes | memoryview
"""Content; a view where copying a large one would cost."""

SEQUENCE = 0x30
SET = 0x31
OCTETS = 0x04
_EOC = b"\x00\x00"
_DEEPEST = 12
_MOST_PIECES = 250_000


def tlv(tag: int, *contents: bytes) -> bytes:
    """Return an element with a definite length."""
    return b"".join((head(tag, sum(map(len, contents))), *contents))


def head(tag: int, length: int) -> bytes:
    """Return the identifier and the length of an element whose content follows elsewhere."""
    if length < 0x80:  # noqa: PLR2004 - X.690 section 8.1.3.4, the short form
        return bytes((tag, length))
    size = (length.bit_length() + 7) // 8
    return bytes((tag, 0x80 | size)) + length.to_bytes(size, "big")


def oid(dotted: str) -> bytes:
    """Return an object identifier as an element."""
    first, second, *others = map(int, dotted.split("."))
    content = bytearray()
    for number in (first * 40 + second, *others):
        digits = [number & 0x7F]
        while number := number >> 7:
            digits.append(number & 0x7F | 0x80)
        content += bytes(reversed(digits))
    return tlv(0x06, bytes(content))


def integer(number: int) -> bytes:
    """Return a whole number as an element."""
    return tlv(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True))


@dataclass(frozen=True, slots=True)
class Element:
    """An element in place: `data[first:last]` is all of it, `data[start:end]` its content.

    `ends` remembers where contents without a length end, so that no part is walked over again for each shell around it.
    """

    data: memoryview
    tag: int
    first: int
    start: int
    end: int
    last: int
    ends: dict[int, int] = field(repr=False)

    @property
    def raw(self) -> bytes:
        """All of the element, copied."""
        return bytes(self.data[self.first : self.last])

    @property
    def content(self) -> memoryview:
        """The content, not copied."""
        return self.data[self.start : self.end]

    def children(self) -> Iterator["Element"]:
        """Yield the elements inside a constructed one. Raises ValueError."""
        if not self.tag & 0x20:
            raise ValueError("the element has no parts")
        at = self.start
        for _ in range(_MOST_PIECES):
            if at >= self.end:
                return
            child = element(self.data, at, self.end, ends=self.ends)
            yield child
            at = child.last
        raise ValueError("the element has too many parts")

    def octets(self, depth: int = 0) -> Iterator[memoryview]:
        """Yield the pieces of an octet string, which BER may write as a sequence of them. Raises ValueError."""
        if not self.tag & 0x20:
            yield self.content
            return
        if depth == _DEEPEST:
            raise ValueError("the octet string is nested too deeply")
        for piece in self.children():
            if piece.tag & ~0x20 != OCTETS:
                raise ValueError("the octet string has a part that is none")
            yield from piece.octets(depth + 1)


def element(
    data: memoryview, at: int = 0, end: int | None = None, depth: int = 0, ends: dict[int, int] | None = None
) -> Element:
    """Return the element that begins at an offset. Raises ValueError when it is not whole."""
    end = len(data) if end is None else end
    ends = {} if ends is None else ends
    if at + 2 > end or depth > _DEEPEST:
        raise ValueError("the structure is cut off or nested too deeply")
    tag, length = data[at], data[at + 1]
    if tag & 0x1F == 0x1F:  # noqa: PLR2004 - X.690 section 8.1.2.4: tag numbers above 30, which CMS has not
        raise ValueError("the structure has a tag that CMS has not")
    start = at + 2
    if length == 0x80:  # noqa: PLR2004 - X.690 section 8.1.3.6, the indefinite form
        stop = ends.get(start)
        if stop is None:
            stop = ends[start] = _end_of_contents(data, start, end, depth, ends)
        return Element(data, tag, at, start, stop, stop + 2, ends)
    if length > 0x80:  # noqa: PLR2004 - X.690 section 8.1.3.5, the long form
        size = length & 0x7F
        if size > 8 or start + size > end:  # noqa: PLR2004 - nothing is longer than 2⁶⁴
            raise ValueError("the structure states a length that cannot be")
        length = int.from_bytes(data[start : start + size], "big")
        start += size
    if start + length > end:
        raise ValueError("the structure is cut off")
    return Element(data, tag, at, start, start + length, start + length, ends)


def _end_of_contents(data: memoryview, at: int, end: int, depth: int, ends: dict[int, int]) -> int:
    for _ in range(_MOST_PIECES):
        if data[at : at + 2] == _EOC:
            return at
        at = element(data, at, end, depth + 1, ends).last
    raise ValueError("the element has too many parts")
