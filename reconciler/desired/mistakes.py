"""What pydantic found wrong, in the words of an author and at the place where it stands."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from reconciler.desired.codes import CODES, Code
from reconciler.desired.json_schema import Schema
from reconciler.desired.nearest import is_like, nearest
from reconciler.desired.yaml_document import Location, YamlDocument
from reconciler.errors import Position, Problem

_KEY_TAG = "[key]"
_LONG = 60
_QUOTED_VARIABLE = ('"${', "'${")
_NOT_IN_CLEAR = "expected where the secret is, and not the secret itself"
_WHERE_SECRETS_ARE = "write {secret: env:NAME}, {secret: file:PATH} or {secret: 'sops:PATH#KEY'}"
_EXPECTED = {
    "string": "text",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "object": "a mapping",
    "array": "a list",
}


def problems_of(
    error: ValidationError, document: YamlDocument, schema: Schema, base: tuple[str | int, ...] = ()
) -> Iterator[Problem]:
    """Yield what is wrong. `base` is where in the document the validated value stands, `schema` the document's."""
    errors = error.errors(include_url=False)
    found = [(*base, *details["loc"]) for details in errors]
    unknown = [place for place, details in zip(found, errors, strict=True) if details["type"] == "extra_forbidden"]
    folded: dict[tuple[str | int, ...], str] = {}
    for place, details in zip(found, errors, strict=True):
        if details["type"] == "missing":
            alike = next((other for other in unknown if _means(other, place) and other not in folded), None)
            if alike is not None:
                folded[alike] = str(place[-1])
    mended = {(*place[:-1], key) for place, key in folded.items()}
    for place, details in zip(found, errors, strict=True):
        if details["type"] == "missing":
            if place not in mended:
                key = place[-1]
                yield document.problem(Code.MISSING_KEY, f"the key '{key}' is missing", place[:-1], of_key=True)
        elif details["type"] == "extra_forbidden":
            yield _unknown_key(document, place, schema, folded.get(place))
        elif details["type"] == "too_short" and details["input"]:
            continue  # Its items are wrong, and are reported themselves.
        elif details["input"] is not None:  # A null is reported where it was read.
            yield _bad_value(document, place, details, schema)


def _means(unknown: Location, missing: Location) -> bool:
    *where, word = unknown
    *there, key = missing
    return where == there and is_like(str(word), str(key))


def _unknown_key(document: YamlDocument, place: tuple[str | int, ...], schema: Schema, meant: str | None) -> Problem:
    key = str(place[-1])
    present = document.at(place[:-1])
    if meant is None:
        known = {name for node in _nodes(schema, document.path(place[:-1])) for name in node.get("properties", ())}
        meant = nearest(key, sorted(known.difference(present if isinstance(present, dict) else ())))
    return document.problem(Code.UNKNOWN_KEY, f"unknown key '{key}'", place, of_key=True, suggestion=meant)


def _bad_value(document: YamlDocument, place: tuple[str | int, ...], details: ErrorDetails, schema: Schema) -> Problem:
    if _takes_secret(schema, document.path(place)):
        problem = document.problem(Code.BAD_VALUE, _NOT_IN_CLEAR, place, suggestion=_WHERE_SECRETS_ARE)
        return replace(problem, source="")  # It may be the secret itself.
    wanted = _wanted(schema, document.path(place)) or details["msg"].removeprefix("Input should be ")
    code, message, suggestion = _explained(details, wanted)
    problem = document.problem(code, message, place, of_key=code is Code.BAD_NAME, suggestion=suggestion)
    if details["type"].endswith("_type") and problem.source.startswith(_QUOTED_VARIABLE, problem.position.column - 1):
        problem = replace(problem, suggestion="in quotes a variable is text; write it without, on a line of its own")
    if details["type"] != "included":
        return problem
    inside = details["ctx"]
    position = Position(inside["file"], inside["line"], inside["column"])
    return replace(problem, position=position, source=inside["source"], also=problem.position)


def _explained(details: ErrorDetails, wanted: str) -> tuple[Code, str, str]:
    """Return the code, the message and the suggestion. `wanted` is what the schema takes here."""
    context, value = details.get("ctx", {}), details["input"]
    code, suggestion = Code.BAD_VALUE, ""
    match details["type"]:
        case _ if details["loc"][-1:] == (_KEY_TAG,):
            code = Code.BAD_NAME
            message = f"'{_shown(value)}' is no name: letters, digits, _ and -, the first a letter or digit, at most 63"
        case "included":
            code, message, suggestion = CODES[context["code"]], context["message"], context["suggestion"]
        case kind if kind in CODES:
            code, message, suggestion = CODES[kind], context["message"], context["suggestion"]
        case "value_error":
            message = str(context["error"])
        case "literal_error" | "enum":
            expected = str(context["expected"]).replace("True", "true")
            message = f"expected {expected}, got {_named(value)}"
            suggestion = nearest(value, expected.split("'")[1::2]) if isinstance(value, str) else ""
        case kind if kind.endswith("_type"):
            message = f"expected {wanted}, got {_named(value)}"
            suggestion = f'quote it: "{value}"' if wanted == "text" and type(value) in {int, float} else ""
        case "too_short":
            message = f"expected {context['min_length']} or more, got {context['actual_length']}"
        case "uuid_parsing":
            message = f"expected a UUID, got {_named(value)}"
        case _:
            text = (
                details["msg"].replace("Input should", "the value should").replace("String should", "the text should")
            )
            message = f"{text[0].lower()}{text[1:]}"
    return code, message, suggestion


def _shown(value: object) -> str:
    text = str(value)
    return text if len(text) <= _LONG else f"{text[:_LONG]}…"


def _named(value: object) -> str:
    """Return a value as an author would call it."""
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return f"the number {_shown(value)}"
        case str():
            return f"'{_shown(value)}'"
        case list():
            return "a list"
        case _:
            return "a mapping"


def _wanted(schema: Schema, path: Location) -> str:
    types = [_EXPECTED[node["type"]] for node in _nodes(schema, path) if node.get("type") in _EXPECTED]
    return " or ".join(dict.fromkeys(types))


def _takes_secret(schema: Schema, path: list[str | int]) -> bool:
    """Say whether the value at a path names a secret, or is the name itself."""
    places = (path, path[:-1]) if path[-1:] == ["secret"] else (path,)
    return any("secret" in node.get("properties", ()) for place in places for node in _nodes(schema, place))


def _nodes(schema: Schema, path: Location) -> list[Schema]:
    """Return the schemas that the value at a path can meet."""
    nodes = _choices(schema, schema)
    for part in path:
        nodes = [choice for node in nodes for child in _children(node, part) for choice in _choices(schema, child)]
    return nodes


def _children(node: Schema, part: str | int) -> Iterator[Mapping[str, Any]]:
    if isinstance(part, int):
        yield node.get("items", {})
        return
    if part in node.get("properties", ()):
        yield node["properties"][part]
        return
    yield from node.get("patternProperties", {}).values()
    if isinstance(node.get("additionalProperties"), dict):
        yield node["additionalProperties"]


def _choices(schema: Schema, node: Mapping[str, Any]) -> list[Schema]:
    """Return a schema without reference and alternatives: the schemas that it stands for."""
    if "$ref" in node:
        return _choices(schema, schema["$defs"][node["$ref"].rpartition("/")[2]])
    alternatives = [*node.get("anyOf", ()), *node.get("oneOf", ())]
    return [choice for part in alternatives for choice in _choices(schema, part)] if alternatives else [dict(node)]
