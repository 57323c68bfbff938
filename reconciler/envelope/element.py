"""An element of XML that everything has to be asked for, so that nothing in a file is passed over without a word."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import cast
from uuid import UUID

from lxml import etree

MAX_BYTES = 64 * 2**20
MAX_ELEMENTS = 500_000
MAX_ATTRIBUTES = 64
"""Bounds of what is read, the last one of each element: libxml2 bounds depth and the length of texts by itself."""


class XmlError(ValueError):
    """What is wrong, and the line (from 1) where it is."""

    def __init__(self, line: int, reason: str) -> None:
        self.line = line
        self.reason = reason
        super().__init__(f"line {line}: {reason}")


class _Bounds:
    """A parser's target that builds nothing: a first reading finds what would make a tree too large, or has a DTD."""

    def __init__(self) -> None:
        self._elements = 0

    def doctype(self, _name: str, _public: str | None, _system: str | None) -> None:
        raise XmlError(1, "a DOCTYPE is not allowed")

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self._elements += 1
        if self._elements > MAX_ELEMENTS:
            raise XmlError(1, f"the file has more than {MAX_ELEMENTS} elements")
        if len(attributes) > MAX_ATTRIBUTES:
            raise XmlError(1, f"{tag} has more than {MAX_ATTRIBUTES} attributes")

    def close(self) -> None:
        pass


def _parser(target: _Bounds | None = None) -> etree.XMLParser:
    return etree.XMLParser(
        target=target,  # type: ignore[arg-type] # the stubs want all of a target's methods, lxml some
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        remove_comments=True,
        remove_pis=True,
    )


def _is_harmless(xml: bytes) -> bool:
    """Say whether a file is too small for a large tree, and can be seen to have no DTD: it is in UTF-8, not recoded."""
    is_utf8 = xml.startswith(_DECLARATIONS) or (xml[:1] == b"<" and xml[:2] != b"<?")
    return len(xml) <= _SMALL and is_utf8 and b"<!DOCTYPE" not in xml


_SMALL = 100_000
_DECLARATIONS = (b'<?xml version="1.0" encoding="UTF-8"?>', b"<?xml version='1.0' encoding='UTF-8'?>")


class Element:
    """An element of which attributes, children and text are asked for one by one; what was not is refused.

    Every method raises XmlError. An empty attribute says the same as an absent one. Attributes of a foreign
    namespace, such as `xsi:noNamespaceSchemaLocation`, are nobody's business here and are passed over.
    """

    def __init__(self, element: etree._Element) -> None:
        self._element = element
        self._attributes = cast("dict[str, str]", dict(element.items()))
        if len(self._attributes) > MAX_ATTRIBUTES:
            raise self.wrong(f"has more than {MAX_ATTRIBUTES} attributes")
        self._children = list(element) if len(element) else []

    @classmethod
    def root(cls, xml: bytes, tag: str) -> "Element":
        """Read a file whose root element is `tag`, without DTD, entities and network."""
        if len(xml) > MAX_BYTES:
            raise XmlError(1, f"the file has {len(xml)} bytes; {MAX_BYTES} are allowed")
        try:
            if not _is_harmless(xml):
                etree.fromstring(xml, _parser(_Bounds()))
            root = etree.fromstring(xml, _parser())
        except etree.XMLSyntaxError as error:
            raise XmlError(
                error.lineno or 1, f"not well-formed XML: {str(error.msg).partition(', line ')[0].strip()}"
            ) from None
        found = cls(root)
        if found.tag != tag:
            raise found.wrong(f"is not the expected root element {tag} without a namespace")
        return found

    @property
    def tag(self) -> str:
        """The name of the element."""
        return self._element.tag

    @property
    def line(self) -> int:
        """The line of the element, from 1."""
        return cast("int | None", self._element.sourceline) or 1

    @property
    def has_children(self) -> bool:
        """Whether elements stand inside."""
        return bool(self._children)

    def wrong(self, reason: str) -> XmlError:
        """Return the error that says what is wrong with this element."""
        return XmlError(self.line, f"{self.tag} {reason}")

    def attribute(self, name: str) -> str:
        """Return an attribute as it is written; an absent one is empty."""
        return self._attributes.pop(name, "")

    def required(self, name: str) -> str:
        """Return an attribute that must say something."""
        value = self.attribute(name)
        if not value.strip():
            raise self.wrong(f"needs the attribute {name}")
        return value

    def uuid(self, name: str) -> UUID | None:
        """Return an attribute that is a UUID, or None."""
        text = self.attribute(name).strip()
        if not text:
            return None
        try:
            return UUID(text)
        except ValueError:
            raise self.wrong(f"has the attribute {name} '{text}', which is no UUID") from None

    def required_uuid(self, name: str) -> UUID:
        """Return an attribute that must be a UUID."""
        uuid = self.uuid(name)
        if uuid is None:
            raise self.wrong(f"needs the attribute {name}, a UUID")
        return uuid

    def flag(self, name: str) -> bool | None:
        """Return an attribute that is true or false, or None."""
        text = self.attribute(name).strip()
        if text not in _FLAGS:
            raise self.wrong(f"has the attribute {name} '{text}', which is neither true nor false")
        return _FLAGS[text]

    def count(self, name: str) -> int | None:
        """Return an attribute that is a whole number of up to nine digits, or None."""
        text = self.attribute(name).strip()
        if text and not (text.isascii() and text.isdigit() and len(text) <= 9):  # noqa: PLR2004 - said in the docstring
            raise self.wrong(f"has the attribute {name} '{text}', which is no whole number from 0")
        return int(text) if text else None

    def moment(self, text: str) -> datetime | None:
        """Return a date and time of ISO 8601 in UTC, which it also is when it names no offset, or None."""
        try:
            moment = datetime.fromisoformat(text.strip()) if text.strip() else None
            return moment and (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            raise self.wrong(f"says '{text.strip()}', which is no date and time of ISO 8601") from None

    def children(self, *tags: str) -> Iterator["Element"]:
        """Yield the children, which must be of these tags; refuse text between them and attributes not asked for."""
        self._no_attribute_left()
        texts = [self._element.text, *[child.tail for child in self._children]]
        if "".join(filter(None, texts)).strip():
            raise self.wrong("has text that does not belong to an element inside it")
        for child in map(Element, self._children):
            if child.tag not in tags:
                expected = f"; expected {', '.join(tags)}" if tags else ""
                raise child.wrong(f"does not belong inside {self.tag}{expected}")
            yield child

    def named_texts(self, tag: str) -> list[tuple[str, str]] | None:
        """Return the children, all of this tag, that have a name, perhaps a text, and nothing else, as most have.

        None if there is anything besides, which `children` has to be asked for one by one; that takes much longer.
        """
        if self._attributes or (self._element.text or "").strip():
            return None
        found: list[tuple[str, str]] = []
        for child in self._children:
            name = child.get("name", "")
            if child.tag != tag or len(child) or child.keys() != _JUST_A_NAME or not name.strip():
                return None
            if child.tail and child.tail.strip():
                return None
            found.append((name, child.text or ""))
        return found

    def parts(self, *tags: str) -> "Mapping[str, Element]":
        """Return the children by tag, each of which may come once."""
        found: dict[str, Element] = {}
        for child in self.children(*tags):
            if child.tag in found:
                raise child.wrong(f"stands twice inside {self.tag}")
            found[child.tag] = child
        return found

    def end(self) -> None:
        """Refuse everything not asked for: the element is complete."""
        for child in self.children():
            raise child.wrong(f"does not belong inside {self.tag}")

    def text(self) -> str:
        """Return the text, just as it is written, and refuse children and attributes not asked for."""
        self._no_attribute_left()
        for child in map(Element, self._children):
            raise child.wrong(f"does not belong inside {self.tag}, which holds text")
        return self._element.text or ""

    def _no_attribute_left(self) -> None:
        for name in self._attributes:
            if name[0] != "{":
                raise self.wrong(f"has the unknown attribute {name}")


_JUST_A_NAME = ["name"]
_FLAGS = {"": None, "true": True, "1": True, "false": False, "0": False}
