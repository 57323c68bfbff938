"""A rule as it is written to a rule as it is run."""

import re
from collections.abc import Iterator, Mapping
from typing import Literal, assert_never
from uuid import UUID

from reconciler.desired.codes import Code
from reconciler.desired.documents import ArchiveDocument, RuleDocument
from reconciler.desired.references import Place
from reconciler.errors import Problem
from reconciler.model.packed import packed_as
from reconciler.model.rule import Archive, Direction, Match, Rule, RuleTest
from reconciler.model.source_file import SourceFile
from reconciler.model.template_ref import TemplateRef

_UNRESOLVED = TemplateRef(uuid=UUID(int=0), version=UUID(int=0))
"""Stands for a template that another document may declare."""
_PLACED = re.compile(r'"position":[0-9]+,"template":\{"uuid":"[^"]*","version":"[^"]*"\}')
"""What of a rule's JSON depends on other documents. Nothing that an author writes stands before it."""

_OTHER = {Direction.OUT: ("archive", "name_pattern"), Direction.IN: ("match", "source", "multiple_envelopes")}
"""What does not belong to a rule of a direction."""


def misfits(rule: RuleDocument, place: Place) -> Iterator[Problem]:
    """Yield what a rule of its direction lacks, and what it has that belongs to the other one."""
    written = rule.model_fields_set
    for key in _OTHER[rule.direction]:
        if key in written:
            message = f"'{key}' belongs to rules of the other direction; this one is '{rule.direction}'"
            yield place.below(key).problem(Code.BAD_VALUE, message, of_key=True)
    match rule.direction:
        case Direction.OUT:
            for key in ("match", "convert"):
                if key not in written:
                    yield place.problem(Code.MISSING_KEY, f"an 'out' rule needs '{key}'", of_key=True)
        case Direction.IN if {"convert", "archive"} <= written:
            message = "an 'in' rule has either 'convert' or 'archive', not both"
            yield place.below("archive").problem(Code.BAD_VALUE, message, of_key=True)
        case Direction.IN:
            if not written & {"convert", "archive"}:
                yield place.problem(Code.MISSING_KEY, "an 'in' rule needs 'convert' or 'archive'", of_key=True)
        case _:
            assert_never(rule.direction)


def rule_text(
    rule: RuleDocument,
    match: Match | None,
    position: int,
    directories: tuple[SourceFile, ...],
    tests: Mapping[str, RuleTest],
) -> str:
    """Return the rule that is run, as JSON, without its template; `placed` fills that in.

    `directories` are the EDIFACT tables of the configuration.
    """
    reads_edifact = rule.direction is Direction.OUT and rule.source in {None, "edifact"}
    return packed_as(
        Rule,
        active=rule.active,
        direction=rule.direction,
        position=position,
        template=_UNRESOLVED,
        match=match,
        source=rule.source,
        convert=rule.convert,
        archive=_archive(rule.archive) if rule.archive else None,
        name_pattern=rule.name_pattern,
        validation=rule.validation,
        multiple_envelopes=rule.multiple_envelopes,
        attributes=rule.attributes,
        directories=directories if reads_edifact else (),
        protected=rule.protected,
        tests=dict(tests),
    )


def placed(text: str, position: int, ref: str) -> str:
    """Return a rule's JSON with its index among the rules of its owner, and with its template, as UUID/version."""
    uuid, _, version = ref.partition("/")
    now = f'"position":{position},"template":{{"uuid":"{uuid}","version":"{version}"}}'
    found = _PLACED.search(text)
    if found is None:
        raise ValueError("it is no rule")
    return text if found[0] == now else f"{text[: found.start()]}{now}{text[found.end() :]}"


def _archive(archive: ArchiveDocument | Literal[True]) -> Archive:
    return Archive() if archive is True else Archive(exclude=archive.exclude)


def match_of(rule: RuleDocument) -> Match | None:
    """Return what a rule looks at; None for a rule that looks at the template."""
    match = rule.match
    if match is None:
        return None
    if match.name is not None:
        return Match(by="name", pattern=match.name)
    if match.content is not None:
        return Match(by="content", pattern=match.content)
    return Match(by="attribute", pattern=match.attribute or "")
