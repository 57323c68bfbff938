"""The reference of every key for people, made of the JSON Schemas: each mapping a section, each key a line."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.desired.json_schema import ENVIRONMENT_SCHEMA, ROOT_SCHEMA, Schema, schemas
from reconciler.model.protocol import ProtocolRegistry

MARK = "<!-- What follows is written by `reconciler schema --reference FILE`. -->\n"

_NAMES = {
    "accounts": "ACCOUNT",
    "mailboxes": "MAILBOX",
    "rules": "RULE",
    "templates": "TEMPLATE",
    "dictionaries": "DICTIONARY",
}
_TYPES = {"string": "text", "boolean": "true, false", "integer": "whole number", "number": "number"}


def reference(protocols: ProtocolRegistry) -> str:
    """Return the reference as markdown, from `MARK` on."""
    documents = schemas(protocols)
    root, environment = documents[ROOT_SCHEMA], documents[ENVIRONMENT_SCHEMA]
    parts = [
        MARK,
        "## `reconciler.yaml`\n",
        "Every other file has `version` and `accounts` alone.\n",
        *_sections(root, root, "", {}),
        "## `environments/NAME.yaml`\n",
        *_sections(environment, environment, "", {}),
    ]
    return "\n".join(parts)


def written_into(document: str, protocols: ProtocolRegistry) -> str:
    """Return a document with its generated part anew; raises ValueError when it has no mark."""
    return document[: document.index(MARK)] + reference(protocols)


def _sections(schema: Schema, node: Mapping[str, Any], path: str, written: dict[str, str]) -> Iterator[str]:
    """Yield the section of a mapping, and those of the mappings inside; `written` says where each is described."""
    properties: Mapping[str, Any] = node.get("properties", {})
    if path:
        yield f"### `{path}`\n"
        yield f"{node.get('description', '')}\n"
    yield "| key | takes | default | |\n|---|---|---|---|"
    for key, value in properties.items():
        needed = key in node.get("required", ())
        yield f"| `{key}` | {_takes(schema, value)} | {_default(value, needed=needed)} | {_meaning(value)} |"
    yield ""
    for key, value in properties.items():
        below = f"{path}.{key}" if path else key
        for where, name in _mappings(value, below, key):
            if name in written:
                yield f"### `{where}`\n\nAs `{written[name]}`.\n"
            else:
                written[name] = where
                yield from _sections(schema, schema["$defs"][name], where, written)


def _mappings(value: Mapping[str, Any], path: str, key: str) -> Iterator[tuple[str, str]]:
    """Yield the mappings that a value can have, with the path of each."""
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        if name not in _SIMPLE:
            yield path, name
    for choice in (*value.get("anyOf", ()), *value.get("oneOf", ())):
        yield from _mappings(choice, path, key)
    if "items" in value:
        yield from _mappings(value["items"], f"{path}[]", key)
    for inner in value.get("patternProperties", {}).values():
        yield from _mappings(inner, f"{path}.{_NAMES.get(key, 'NAME')}", key)


_SIMPLE = frozenset({"SourceFile", "Listen", "Direction", "Kind"})
"""Definitions that are no mappings of keys."""


def _takes(schema: Schema, value: Mapping[str, Any]) -> str:  # noqa: PLR0911 - one for each shape of a schema
    choices = [*value.get("anyOf", ()), *value.get("oneOf", ())]
    if choices:
        return " or ".join(dict.fromkeys(_takes(schema, choice) for choice in choices))
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        return _takes(schema, schema["$defs"][name]) if name in _SIMPLE else "mapping, below"
    if "const" in value:
        return f"`{json.dumps(value['const']).strip(chr(34))}`"
    if "enum" in value:
        return " ".join(f"`{item}`" for item in value["enum"])
    if value.get("type") == "array":
        return f"list of {_takes(schema, value['items'])}"
    for inner in value.get("patternProperties", {}).values():
        return "mappings by name, below" if "$ref" in inner else f"mapping by name: {_takes(schema, inner)}"
    if value.get("type") == "object":
        inner = value.get("additionalProperties")
        return f"mapping to {_takes(schema, inner)}" if isinstance(inner, dict) else "mapping"
    if value.get("description", "").startswith("A path"):
        return "path"
    return _TYPES.get(value.get("type", ""), "anything") + _bounds(value)


def _bounds(value: Mapping[str, Any]) -> str:
    match value:
        case {"minimum": least, "maximum": most}:
            return f", {least} to {most}"
        case {"minimum": least}:
            return f", {least} or more"
        case _:
            return ""


def _default(value: Mapping[str, Any], *, needed: bool) -> str:
    if needed:
        return "**needed**"
    default = value.get("default")
    return "" if default in (None, [], {}, "") or isinstance(default, dict) else f"`{_inline(default)}`"


def _meaning(value: Mapping[str, Any]) -> str:
    examples = " ".join(f"`{_inline(example)}`" for example in value.get("examples", ()))
    text = value.get("description", "").replace("|", "\\|")
    return f"{text} E.g. {examples}" if examples else text


def _inline(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text.replace("|", "\\|")
