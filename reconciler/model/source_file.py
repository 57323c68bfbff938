"""Files that a configuration names: known by their content, so that moving one changes nothing."""

from collections.abc import Callable
from hashlib import sha256
from typing import Protocol, Self

from pydantic import GetJsonSchemaHandler, ModelWrapValidatorHandler, ValidationInfo, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from reconciler.model.noun import Noun

ContentReader = Callable[[str], bytes]
"""SHA-256 (hex) → content. Raises BlobError when there is none."""


def digest(content: bytes) -> str:
    """Return the SHA-256 of `content` in hex: the name of a payload everywhere."""
    return sha256(content).hexdigest()


class Part(Noun):
    """A further file that a file includes: its path as seen from the including file, and its content's SHA-256."""

    name: str
    sha256: str


class SourceFile(Noun):
    """A file's base name, the SHA-256 of its content (hex), and the files that it includes, directly or not.

    In YAML it is a path relative to the file that names it. The loader passes a `FileReader` as `read_file` in the
    validation context; the path is then read on the spot, so that a file that is not there is an error at the place
    where it is named. `parts` are named relative to the folder of the main file.
    """

    name: str
    sha256: str
    parts: tuple[Part, ...] = ()

    @property
    def hashes(self) -> tuple[str, ...]:
        """The hashes of this file and of all its parts."""
        return (self.sha256, *(part.sha256 for part in self.parts))

    @model_validator(mode="wrap")
    @classmethod
    def _read(cls, value: object, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo) -> "SourceFile":
        if not isinstance(value, str):
            return handler(value)
        reader: FileReader | None = (info.context or {}).get("read_file")
        if reader is None:
            raise ValueError("a path can be read from a configuration only")
        return reader(value)

    @classmethod
    def __get_pydantic_json_schema__(cls, _schema: CoreSchema, _handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Describe what an author writes."""
        return {"type": "string", "minLength": 1, "description": "A path, relative to the file that names it."}


class FileReader(Protocol):
    """Reads a file that the configuration names, with what it includes. Raises ValueError when it cannot."""

    def __call__(self, path: str, /) -> SourceFile:
        """Return the file at `path`, relative to the file that names it."""
        ...
