"""JSON Schemas (draft 2020-12) of the YAML files, for editors and for whoever writes them by program."""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from reconciler.desired.documents import AccountsDocument, RootDocument
from reconciler.desired.environment_document import EnvironmentDocument
from reconciler.model.protocol import ProtocolRegistry, ProtocolSettings

DIALECT = "https://json-schema.org/draft/2020-12/schema"
ROOT_SCHEMA = "reconciler.json"
ACCOUNTS_SCHEMA = "accounts.json"
ENVIRONMENT_SCHEMA = "environment.json"

Schema = dict[str, Any]


def schemas(protocols: ProtocolRegistry) -> Mapping[str, Schema]:
    """Return the schemas by file name: of `reconciler.yaml`, of environments, and of every other file."""
    return _schemas(tuple(sorted(protocols.items())))


def rendered(schema: Schema) -> str:
    """Return a schema as the text of its file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


@lru_cache(maxsize=4)
def _schemas(protocols: tuple[tuple[str, type[ProtocolSettings]], ...]) -> Mapping[str, Schema]:
    return {
        name: {
            "$schema": DIALECT,
            "title": title,
            **_with_sections(document.model_json_schema(), protocols),
        }
        for name, title, document in (
            (ROOT_SCHEMA, "reconciler.yaml", RootDocument),
            (ACCOUNTS_SCHEMA, "A file of accounts", AccountsDocument),
            (ENVIRONMENT_SCHEMA, "An environment", EnvironmentDocument),
        )
    }


def _with_sections(schema: Schema, protocols: tuple[tuple[str, type[ProtocolSettings]], ...]) -> Schema:
    """Return the schema with a section in the integration for each protocol."""
    definitions: Schema = dict(schema.get("$defs", {}))
    if "IntegrationDocument" in definitions:
        definitions.pop("JsonValue", None)
        integration: Schema = definitions["IntegrationDocument"]
        integration["additionalProperties"] = False
        integration["properties"]["protocol"]["enum"] = [name for name, _ in protocols]
        for name, settings in protocols:
            section = settings.model_json_schema()
            definitions |= section.pop("$defs", {})
            definitions[settings.__name__] = section
            integration["properties"][name] = {"$ref": f"#/$defs/{settings.__name__}"}
    tidied: Schema = _tidied({**schema, "$defs": definitions})
    return tidied


def _tidied(node: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return a schema as authors see the language: nothing is ever null, and names are as their pattern says."""
    if isinstance(node, list):
        return [_tidied(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: _tidied(value) for key, value in node.items() if not (key == "title" and isinstance(value, str))}
    if "patternProperties" in node:
        node["additionalProperties"] = False
    if "default" in node and node["default"] is None:
        del node["default"]
    if {"type": "null"} in node.get("anyOf", ()):
        rest = [choice for choice in node.pop("anyOf") if choice != {"type": "null"}]
        node = {**rest[0], **node} if len(rest) == 1 else {"anyOf": rest, **node}
    return node
