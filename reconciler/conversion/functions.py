"""The extension functions that maps written for the original call, in XSLT, with the gateway's answers as a parameter.

A Saxon function in another language is not available here. So a function looks its arguments up in a parameter of
answers; where there is none yet, it says what it asks in a marked `xsl:message` and returns nothing. The gateway
answers and the map runs again, until nothing is asked. Side effects are marked messages too, of the last run only.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Self
from uuid import uuid4

from reconciler.errors import ConversionError

NAMESPACE = "java:com.whitedoc.xslt.extensions.WdExtensions"
ANSWERS = "{urn:reconciler:conversion}answers"
SEED = "{urn:reconciler:conversion}seed"
_SCOPE = (
    'xmlns:x="http://www.w3.org/1999/XSL/Transform" xmlns:xs="http://www.w3.org/2001/XMLSchema"'
    ' xmlns:map="http://www.w3.org/2005/xpath-functions/map" xmlns:r="urn:reconciler:conversion"'
    ' version="3.0" expand-text="no"'
)
_ASK, _ATTACH, _CHAIN = (f"urn:reconciler:conversion:{word}:" for word in ("ask", "attach", "chain"))


class Lookup(StrEnum):
    """What can be asked of the gateway, by the name of the function."""

    DICTIONARY_VALUE = "getValueFromDictionary"
    DICTIONARY_RECORD = "getRecordUuidByValueFromDictionary"
    MAILBOX_BY_ALIAS = "getMailboxUuidByAlias"
    ENVELOPE_BY_FIELD = "findEnvelopeUuidByField"


_ARGUMENTS: Mapping[Lookup, tuple[str, ...]] = {
    Lookup.DICTIONARY_VALUE: ("dictionary", "column-of-value", "value", "column-to-find"),
    Lookup.DICTIONARY_RECORD: ("dictionary", "column", "value"),
    Lookup.MAILBOX_BY_ALIAS: ("alias",),
    Lookup.ENVELOPE_BY_FIELD: ("template", "field", "value"),
}


@dataclass(frozen=True, slots=True)
class Question:
    """One call of a function whose answer the gateway knows."""

    lookup: Lookup
    arguments: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a question as the function words it. Raises ConversionError when a map forged it."""
        refusal = ConversionError("lookup_unknown", f"the map asks what is no question: {text[:200]}")
        try:
            asked = json.loads(text)
            lookup = Lookup(asked[0])
        except (ValueError, TypeError, LookupError, RecursionError):
            raise refusal from None
        arguments = asked[1:]
        if len(arguments) != len(_ARGUMENTS[lookup]) or not all(isinstance(one, str) for one in arguments):
            raise refusal
        return cls(lookup, tuple(arguments))


@dataclass(frozen=True, slots=True)
class Said:
    """The messages of one run, sorted: what the map asked, what it wants done, and its own."""

    asked: tuple[str, ...]
    attachments: tuple[str, ...]
    chained: tuple[str, ...]
    own: tuple[str, ...]


def sort_messages(messages: Iterable[str]) -> Said:
    """Tell the functions' marked messages from the map's own; a question asked twice counts once."""
    asked: dict[str, None] = {}
    chained: dict[str, None] = {}
    attachments: list[str] = []
    own: list[str] = []
    for message in messages:
        if message.startswith(_ASK):
            asked[message.removeprefix(_ASK)] = None
        elif message.startswith(_ATTACH):
            attachments.append(message.removeprefix(_ATTACH))
        elif message.startswith(_CHAIN):
            chained[message.removeprefix(_CHAIN)] = None
        else:
            own.append(message)
    return Said(tuple(asked), tuple(attachments), tuple(chained), tuple(own))


def seed() -> str:
    """Return what makes the UUIDs of one conversion its own: the first 23 characters of a random UUID and a hyphen."""
    return str(uuid4())[:24]


def answers(known: Mapping[str, str | None]) -> str:
    """Return answers by question's text as the value of the parameter `ANSWERS`."""
    return json.dumps(known)


@cache
def declarations() -> str:
    """Return the functions as top-level declarations, on one line, that can be put into any stylesheet."""
    uuid_functions = (
        _new_uuid(f"Q{{{NAMESPACE}}}createAttachementWithSourceFile", before=_message(_ATTACH, "$uuid")),
        _new_uuid("Q{java:java.util.UUID}randomUUID"),
    )
    return "".join(
        (
            _top("param", 'name="r:answers" as="xs:string" select="\'{}\'"'),
            _top("param", 'name="r:seed" as="xs:string" select="\'00000000-0000-4000-8000-\'"'),
            _top("variable", 'name="r:answered" as="map(*)" select="parse-json($r:answers)"'),
            *map(_lookup_function, Lookup),
            *uuid_functions,
            _chain_function(),
        )
    )


def _top(element: str, attributes: str, content: str = "") -> str:
    # Each declaration brings its own namespaces and version: those of the stylesheet may be any.
    return f"<x:{element} {_SCOPE} {attributes}>{content}</x:{element}>"


def _message(mark: str, expression: str) -> str:
    return f"<x:message select=\"'{mark}' || {expression}\"/>"


def _lookup_function(lookup: Lookup) -> str:
    names = _ARGUMENTS[lookup]
    arguments = ", ".join(f"string(${name})" for name in names)
    missing = " or ".join(f"empty(${name})" for name in names)
    return _top(
        "function",
        f'name="Q{{{NAMESPACE}}}{lookup}" as="xs:string?"',
        "".join(f'<x:param name="{name}" as="xs:anyAtomicType?"/>' for name in names)
        + f"<x:variable name=\"question\" select=\"serialize(['{lookup}', {arguments}], map {{'method': 'json'}})\"/>"
        f'<x:choose><x:when test="{missing}"/>'
        '<x:when test="map:contains($r:answered, $question)"><x:sequence select="$r:answered($question)"/></x:when>'
        f"<x:otherwise>{_message(_ASK, '$question')}</x:otherwise></x:choose>",
    )


def _new_uuid(name: str, *, before: str = "") -> str:
    # generate-id() of a new node differs at each call; its digits fill the last group of the conversion's own UUIDs.
    return _top(
        "function",
        f'name="{name}" as="xs:string" new-each-time="yes"',
        '<x:variable name="node"><r:node/></x:variable>'
        '<x:variable name="uuid" select="$r:seed || format-integer(xs:integer('
        "replace(generate-id($node), '\\D', '')), '000000000000')\"/>"
        f'{before}<x:sequence select="$uuid"/>',
    )


def _chain_function() -> str:
    return _top(
        "function",
        f'name="Q{{{NAMESPACE}}}chainEnvelope" as="empty-sequence()" new-each-time="yes"',
        '<x:param name="envelope" as="xs:anyAtomicType?"/>'
        f'<x:if test="exists($envelope)">{_message(_CHAIN, "$envelope")}</x:if>',
    )
