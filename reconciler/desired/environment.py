"""Environments: what a configuration has otherwise in each place that it is applied to, such as `prod`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from reconciler.desired.codes import Code
from reconciler.desired.environment_document import EnvironmentDocument
from reconciler.desired.json_schema import ENVIRONMENT_SCHEMA, schemas
from reconciler.desired.mistakes import problems_of
from reconciler.desired.nearest import nearest
from reconciler.desired.patches import Patches
from reconciler.desired.validation import parsed
from reconciler.desired.variables import VariableError, Variables
from reconciler.desired.yaml_document import Scalar, YamlDocument
from reconciler.desired.yaml_files import ENVIRONMENTS, ROOT_FILE, read_documents
from reconciler.errors import NotFoundError, Position, Problem
from reconciler.model.key import NAME
from reconciler.model.source_file import SourceFile


@dataclass(frozen=True, slots=True)
class Environment:
    """The chosen environment. `file` is None, and there are no patches, when none was chosen."""

    variables: Variables
    patches: Patches | None = None
    file: str | None = None
    problems: list[Problem] = field(default_factory=list)


def read_environment(
    root: Path, name: str | None, environ: Mapping[str, str], digests: dict[str, str] | None = None
) -> Environment:
    """Return the environment of a name, or what applies without one. Raises NotFoundError when there is none.

    The SHA-256 of the environment's file is noted in `digests`.
    """
    problems: list[Problem] = []
    asked: dict[str, str | None] = {}
    documents, _ = read_documents(root, ROOT_FILE)  # what is wrong there is reported when it is read as a whole
    variables = Variables(_values(documents, Variables(environ=environ, asked=asked), problems), environ, asked)
    if name is None:
        return Environment(variables, problems=problems)
    file = _file(root, name)
    documents, found = read_documents(root, file, digests=digests)
    values = _values(documents, Variables(environ=environ, asked=asked), problems)
    variables = Variables(variables.values | values, environ, asked)
    documents, also_found = read_documents(root, file, variables)
    problems += found or also_found
    if not documents:
        if not problems:
            problems.append(Problem(Position(file, 1, 1), Code.MISSING_KEY.value, "the key 'version' is missing"))
        return Environment(variables, file=file, problems=problems)
    document = documents[0]
    try:
        parsed(EnvironmentDocument, document.data, _no_files)
    except ValidationError as error:
        problems += problems_of(error, document, schemas({})[ENVIRONMENT_SCHEMA])
    return Environment(variables, Patches(document), file, problems)


def _values(documents: list[YamlDocument], of_process: Variables, problems: list[Problem]) -> dict[str, Scalar]:
    """Return the variables that a file defines, those of the process in them replaced."""
    data = documents[0].data if documents else None
    written = data.get("vars") if isinstance(data, dict) else None
    values: dict[str, Scalar] = {}
    for name, value in written.items() if isinstance(written, dict) else ():
        if isinstance(value, dict | list):
            continue
        values[name] = value
        if isinstance(value, str) and "${" in value:
            try:
                values[name] = of_process.expanded(value)[0]
            except VariableError as error:
                message = f"{error}; a variable is made of ${{env:NAME}} alone" if error.name else str(error)
                problems.append(documents[0].problem(Code.UNDEFINED_VARIABLE, message, ("vars", name)))
    return values


def _file(root: Path, name: str) -> str:
    names = sorted(path.stem for path in (root / ENVIRONMENTS).glob("*.yaml"))
    if not NAME.fullmatch(name) or name not in names:
        near = nearest(name, names)
        known = f"did you mean {near}?" if near else f"there are: {', '.join(names) or 'none'}"
        raise NotFoundError(f"there is no environment {name} ({ENVIRONMENTS}/{name}.yaml); {known}")
    return f"{ENVIRONMENTS}/{name}.yaml"


def _no_files(path: str) -> SourceFile:
    raise ValueError(f"an environment names no file: {path}")
