"""What can go wrong, as few classes as callers tell apart.

Every message says what is wrong, where, and how to mend it; none carries a secret.
"""

from dataclasses import dataclass
from enum import StrEnum


class ReconcilerError(Exception):
    """Root of all errors that a user or a partner can be shown as they are."""


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a configuration file: path relative to the configuration's root, line and column from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a configuration.

    `source` is the text of the line at `position`; `also` is a second place that belongs to the mistake, such as the
    first use of a duplicate key; `suggestion` is a text that completes "did you mean …" or says the mend.
    """

    position: Position
    code: str
    message: str
    path: str = ""
    source: str = ""
    suggestion: str = ""
    also: Position | None = None


class ConfigurationError(ReconcilerError):
    """The configuration is wrong; nothing was written. Carries every problem found, sorted by position."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: (problem.position, problem.code, problem.message)))
        super().__init__("\n".join(f"{problem.position}: {problem.message}" for problem in self.problems))


class PlanRefusedError(ReconcilerError):
    """The plan is not applied: the live side moved since it was made, or it would do what needs a consent not given."""


class NotFoundError(ReconcilerError):
    """What was asked for (an address, an envelope, a log record) does not exist."""


class LeaseLostError(ReconcilerError):
    """The worker's lease on a job went to another; nothing of what it did may be committed."""


class BlobError(ReconcilerError):
    """A payload is missing or is not the bytes that its name says."""


class ConversionError(ReconcilerError):
    """An input cannot be converted: the exact reason, and a code that stays the same when the wording changes.

    `code` is snake_case, such as `edifact_syntax` or `filename_empty`.
    """

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


class Refusal(StrEnum):
    """Why a partner's request is refused; each protocol translates it (SFTP status, MDN disposition, HTTP status)."""

    NO_SUCH_FILE = "no such file"
    PERMISSION_DENIED = "permission denied"
    ALREADY_EXISTS = "already exists"
    BAD_NAME = "bad name"
    QUOTA_EXCEEDED = "quota exceeded"
    UNAVAILABLE = "temporarily unavailable"


class RefusedError(ReconcilerError):
    """A partner's request is refused; the message is fit to be shown to the partner."""

    def __init__(self, refusal: Refusal, message: str) -> None:
        self.refusal = refusal
        super().__init__(message)
