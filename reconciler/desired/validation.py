"""A YAML document to the class that describes it; what is wrong is left out, so that the rest can still be checked."""

import json
from collections.abc import Callable
from typing import TypeVar

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError, to_json

from reconciler.desired.json_schema import Schema
from reconciler.desired.mistakes import problems_of
from reconciler.desired.yaml_document import Location, Yaml, YamlDocument
from reconciler.errors import Problem
from reconciler.model.noun import Noun
from reconciler.model.source_file import SourceFile

N = TypeVar("N", bound=Noun)

ReadFile = Callable[[str], SourceFile]

_PARTS = frozenset({"templates", "dictionaries", "rules"})


def parsed(model: type[N], data: Yaml, read_file: ReadFile) -> N:
    """Return data as what it means. Raises pydantic's ValidationError.

    It goes through JSON, since only for JSON is pydantic's strict mode what an author expects: no "yes" is true and
    no "1" is a number, but text is a UUID and a list is a tuple.
    """
    return model.model_validate_json(_as_json(data), strict=True, context={"read_file": read_file})


def _as_json(data: Yaml) -> bytes | str:
    try:
        return to_json(data)
    except PydanticSerializationError:  # half of a surrogate pair, of a variable of the process
        return json.dumps(data)


def validated(
    model: type[N], document: YamlDocument, read_file: ReadFile, schema: Callable[[], Schema]
) -> tuple[N | None, list[Problem]]:
    """Return what a document says, without the objects that are wrong, and what is wrong with them.

    `schema` is asked for when there are mistakes only. None when nothing can be made of the document.
    """
    try:
        return parsed(model, document.data, read_file), []
    except ValidationError as error:
        problems = list(problems_of(error, document, schema()))
        kept = _without(document, [details["loc"] for details in error.errors(include_url=False)])
        return (None if kept is None else parsed(model, kept, read_file)), problems


def _without(document: YamlDocument, wrong: list[tuple[str | int, ...]]) -> Yaml:
    """Return a copy of the document without the smallest complete objects around what is wrong."""
    data = json.loads(json.dumps(document.data))
    if not isinstance(data, dict):
        return None
    for location in wrong:
        *above, name = _object_at(document.path(location)) or ("version",)
        node = data
        for part in above:
            node = node.get(part, {})
        node.pop(name, None)
    kept: Yaml = {**data, "version": 1}
    return kept


def _object_at(path: list[str | int]) -> Location:
    """Return the path of what has to go so that nothing follows from its being wrong.

    A rule, a template and a dictionary go as a whole. Of an integration goes a key that nothing else depends on.
    """
    match path:
        case ["accounts", account, str(part), name, *_] if part in _PARTS:
            return ("accounts", account, part, name)
        case ["accounts", account, "mailboxes", mailbox, "rules", name, *_]:
            return ("accounts", account, "mailboxes", mailbox, "rules", name)
        case ["accounts", account, "mailboxes", mailbox, "integration", "enabled" | "default_rule" as key, *_]:
            return ("accounts", account, "mailboxes", mailbox, "integration", key)
        case ["accounts", account, "mailboxes", mailbox, str(key), *_]:
            return ("accounts", account, "mailboxes", mailbox, key)
        case [section, _, *_] if section != "accounts":
            return (section,)
        case _:
            return path
