"""The JSON Schemas that editors use."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from reconciler.desired.json_schema import ACCOUNTS_SCHEMA, ENVIRONMENT_SCHEMA, ROOT_SCHEMA, rendered, schemas
from reconciler.desired.reference import written_into
from reconciler.desired.yaml_composer import Composer
from reconciler.model.protocol import ProtocolRegistry, ProtocolSettings

ROOT = Path(__file__).parents[3]
CASES = ROOT / "tests" / "cases" / "desired"
EXAMPLES = sorted(
    path
    for path in (ROOT / "examples").rglob("*.y*ml")
    # Beside configurations lie files of CI hosts, of Prometheus, of containers.
    if any((folder / "reconciler.yaml").exists() for folder in path.parents[: len(path.relative_to(ROOT).parts)])
    and not any(part.startswith((".", "_")) for part in path.relative_to(ROOT).parts)
)


def errors(schema: dict[str, Any], text: str) -> list[str]:
    composer = Composer("a.yaml", text)
    composer.compose()
    return [
        error.message
        for document in composer.documents
        for error in Draft202012Validator(schema).iter_errors(document.data)
    ]


@pytest.mark.parametrize("name", [ROOT_SCHEMA, ACCOUNTS_SCHEMA, ENVIRONMENT_SCHEMA])
def test_schemas_on_disk_are_current(name: str, protocols: ProtocolRegistry) -> None:
    assert (ROOT / "schemas" / name).read_text() == rendered(schemas(protocols)[name]), (
        "they are written by `reconciler schema`"
    )


def test_the_reference_is_current(protocols: ProtocolRegistry) -> None:
    document = (ROOT / "docs" / "configuration.md").read_text()
    assert document == written_into(document, protocols), (
        "it is written by `reconciler schema --reference docs/configuration.md`"
    )
    assert "| `password_generation` | whole number, 1 or more | `1` |" in document


@pytest.mark.parametrize("name", [ROOT_SCHEMA, ACCOUNTS_SCHEMA, ENVIRONMENT_SCHEMA])
def test_schemas_are_schemas(name: str, protocols: ProtocolRegistry) -> None:
    schema = schemas(protocols)[name]
    Draft202012Validator.check_schema(schema)
    assert '"null"' not in json.dumps(schema)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.relative_to(ROOT)))
def test_examples_meet_the_schemas(path: Path, protocols: ProtocolRegistry) -> None:
    name = ROOT_SCHEMA if path.name == "reconciler.yaml" else ACCOUNTS_SCHEMA
    assert errors(schemas(protocols)[name], path.read_text()) == []


@pytest.mark.parametrize("case", ["unknown-key", "missing-key", "bad-value", "bad-name", "null-value"])
def test_editors_see_these_mistakes_too(case: str, protocols: ProtocolRegistry) -> None:
    assert errors(schemas(protocols)[ACCOUNTS_SCHEMA], (CASES / case / "accounts" / "acme.yaml").read_text())


def test_every_key_is_described(protocols: ProtocolRegistry) -> None:
    for schema in schemas(protocols).values():
        for name, definition in [*schema["$defs"].items(), ("", schema)]:
            for key, value in definition.get("properties", {}).items():
                target = schema["$defs"].get(value.get("$ref", "").rpartition("/")[2], {})
                assert "description" in value or "description" in target, f"{name}.{key}"


def test_a_further_protocol_is_a_further_section(protocols: ProtocolRegistry) -> None:
    class As4Settings(ProtocolSettings):
        """The AS4 section."""

        party: str

    schema = schemas({**protocols, "as4": As4Settings})[ACCOUNTS_SCHEMA]
    text = "version: 1\naccounts: {a: {mailboxes: {m: {integration: {protocol: as4, as4: {party: x}}}}}}\n"
    assert errors(schema, text) == []
    assert errors(schemas(protocols)[ACCOUNTS_SCHEMA], text)
