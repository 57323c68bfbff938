r"""JSON as XML, in the representation that XSLT 3.0 gives it (XPath functions 3.1, `json-to-xml`).

Elements are `map`, `array`, `string`, `number`, `boolean` and `null`, with the name in a map as `key`. Numbers keep the
digits they are written with. What XML cannot hold, such as `\u0000`, becomes U+FFFD, as `json-to-xml` does it by
default. `fn:xml-to-json` turns the result back.
"""

import json
from collections.abc import Iterator

from reconciler.conversion.sources.xml_text import MOST_TEXT, attribute, content
from reconciler.errors import ConversionError

NAMESPACE = "http://www.w3.org/2005/xpath-functions"
DEEPEST = 200
"""Levels of arrays and maps; parsers of XML stop at 256."""


class _Number(str):
    """A number as it is written."""

    __slots__ = ()


class _Map(list[tuple[str, object]]):
    """The members of a map in their order, of which two may have the same key."""


def to_xml(payload: bytes) -> bytes:
    """Return a JSON text as XML, in UTF-8. Raises ConversionError `json_syntax` or `json_too_deep`."""
    try:
        text = payload.decode(json.detect_encoding(payload)).removeprefix("\ufeff")
        value = json.loads(
            text, object_pairs_hook=_Map, parse_int=_Number, parse_float=_Number, parse_constant=_refuse_constant
        )
    except RecursionError:
        raise ConversionError("json_too_deep", f"arrays and maps nest {DEEPEST} deep at most") from None
    except UnicodeDecodeError as error:
        raise ConversionError("json_syntax", f"byte {error.start} is not {error.encoding}") from None
    except json.JSONDecodeError as error:
        raise ConversionError("json_syntax", f"line {error.lineno}, column {error.colno}: {error.msg}") from None
    body = "".join(_written(value, f' xmlns="{NAMESPACE}"', DEEPEST))
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'.encode()


def _refuse_constant(name: str) -> None:
    raise ConversionError("json_syntax", f"{name} is not JSON; write null or a text")


def _written(value: object, attributes: str, levels: int) -> Iterator[str]:
    """Write a value; `attributes` are those of its element."""
    if levels == 0:
        raise ConversionError("json_too_deep", f"arrays and maps nest {DEEPEST} deep at most")
    match value:
        case _Map():
            yield f"<map{attributes}>"
            for key, member in value:
                yield from _written(member, f' key="{attribute(_bounded(key))}"', levels - 1)
            yield "</map>"
        case list():
            yield f"<array{attributes}>"
            for member in value:
                yield from _written(member, "", levels - 1)
            yield "</array>"
        case _Number():
            yield f"<number{attributes}>{value}</number>"
        case str():
            yield f"<string{attributes}>{content(_bounded(value))}</string>"
        case bool():
            yield f"<boolean{attributes}>{'true' if value else 'false'}</boolean>"
        case _:
            yield f"<null{attributes}/>"


def _bounded(text: str) -> str:
    if len(text) > MOST_TEXT:
        raise ConversionError("json_syntax", f"a text of {len(text)} characters is longer than {MOST_TEXT}")
    return text
