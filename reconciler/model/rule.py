"""Conversion rules."""

from enum import StrEnum
from typing import Literal, Self

from pydantic import Field, model_validator

from reconciler.model.noun import Noun
from reconciler.model.source_file import SourceFile
from reconciler.model.template_ref import TemplateRef

MatchBy = Literal["name", "content", "attribute"]
SourceFormat = Literal["edifact", "x12", "spreadsheet", "csv", "json", "xml"]
ArchivePart = Literal["certificates", "printable", "audit-trail"]


class Direction(StrEnum):
    """OUT: a partner file becomes an envelope that is sent. IN: a received envelope becomes a partner file."""

    OUT = "out"
    IN = "in"


class Match(Noun):
    """What an OUT rule looks at: the file name (full match), the content (search), or an attribute (`KEY==regex`)."""

    by: MatchBy
    pattern: str


class Archive(Noun):
    """Delivers the envelope's zip when it is COMPLETED, instead of a conversion, without what `exclude` lists."""

    exclude: tuple[ArchivePart, ...] = ()


class RuleTest(Noun):
    """What a rule is to make of an input: the file `expect`, or the error whose code or message has `expect_error`.

    A rule of an account converts in its mailbox of the name `mailbox`, in its first one when None.
    """

    input: SourceFile
    mailbox: str | None = None
    expect: SourceFile | None = None
    expect_error: str | None = None


class Rule(Noun):
    """Turns partner files into envelopes of one template (OUT), or envelopes of one template into files (IN).

    `position` is the rule's index among the rules of its owner, from 0: rules are tried in this order. `convert` is
    an XSLT stylesheet; an IN rule has either it or `archive`. `validation` are `.xsd`, `.sch` and `.xsl` files
    for the result, `directories` the configuration's own EDIFACT tables. `attributes` maps names to literals or XPath
    expressions over the envelope. `tests`, by name, say what the rule is to make of samples; it works without them.
    """

    active: bool = False
    direction: Direction
    position: int
    template: TemplateRef
    match: Match | None = None
    source: SourceFormat | None = None
    convert: SourceFile | None = None
    archive: Archive | None = None
    name_pattern: str | None = None
    validation: tuple[SourceFile, ...] = ()
    multiple_envelopes: bool = False
    attributes: dict[str, str] = Field(default_factory=dict)
    directories: tuple[SourceFile, ...] = ()
    protected: bool = False
    tests: dict[str, RuleTest] = Field(default_factory=dict)

    @property
    def files(self) -> tuple[SourceFile, ...]:
        """All files that the rule names."""
        tests = (file for test in self.tests.values() for file in (test.input, test.expect))
        return tuple(file for file in (self.convert, *self.validation, *self.directories, *tests) if file is not None)

    @model_validator(mode="after")
    def _parts_fit_direction(self) -> Self:
        if self.direction is Direction.OUT:
            if self.match is None or self.convert is None:
                raise ValueError("an OUT rule needs match and convert")
            if self.archive is not None or self.name_pattern is not None:
                raise ValueError("archive and name_pattern belong to IN rules")
        elif (self.convert is None) == (self.archive is None):
            raise ValueError("an IN rule needs exactly one of convert and archive")
        elif self.match is not None or self.source is not None or self.multiple_envelopes:
            raise ValueError("match, source and multiple_envelopes belong to OUT rules")
        return self
