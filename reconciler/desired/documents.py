"""The language of the files below `reconciler.yaml`: what each key is, takes, and is without being written.

A protocol's section is not described here: it is the class that the protocol itself brings.
"""

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from reconciler.desired.codes import Code
from reconciler.desired.gateway import MailAddress, ProjectDocument
from reconciler.model import pattern
from reconciler.model.integration import CONCURRENCY, REASON_LENGTH
from reconciler.model.key import NAME
from reconciler.model.noun import Json, Noun
from reconciler.model.rule import ArchivePart, Direction, SourceFormat
from reconciler.model.source_file import SourceFile
from reconciler.model.template_ref import TemplateRef

_ALIAS = re.compile(r"^[A-Za-z][A-Za-z0-9_.-]*:[!-~\u00a1-\uffff]([ -~\u00a1-\uffff]*[!-~\u00a1-\uffff])?$")
_LOOK_AROUND = ("(?=", "(?!", "(?<=", "(?<!")


def _compiles(expression: str) -> str:
    try:
        pattern.check(expression)
    except ValueError as error:
        mend = ""
        if any(group in expression for group in _LOOK_AROUND):
            mend = "RE2 has no look-around; write what does match, and put the special case in a rule above"
        elif "invalid escape sequence: \\" in str(error):
            mend = "RE2 has no back-references; a backslash is followed by a class such as \\d or by punctuation"
        context = {"message": f"the regular expression does not compile: {error}", "suggestion": mend}
        raise PydanticCustomError(Code.PATTERN.value, "{message}", context) from None
    return expression


def _names_attribute(condition: str) -> str:
    name, separator, expression = condition.partition("==")
    if not separator or not name.strip():
        raise ValueError(f"expected KEY==regular expression, got '{condition}'")
    _compiles(expression)
    return condition


def _is_qualified(alias: str) -> str:
    if not _ALIAS.fullmatch(alias):
        raise ValueError(f"expected QUALIFIER:VALUE, such as GLN:4829900003227, got '{alias}'")
    return alias


def _is_mapping(tag: str, otherwise: str) -> Callable[[Any], str]:
    return lambda value: tag if isinstance(value, (Mapping, Noun)) else otherwise


Name = Annotated[str, Field(pattern=f"^(?:{NAME.pattern})$")]
Title = Annotated[str, Field(min_length=1, max_length=200)]
Regex = Annotated[str, Field(min_length=1), AfterValidator(_compiles)]
Alias = Annotated[str, AfterValidator(_is_qualified), Field(json_schema_extra={"pattern": _ALIAS.pattern})]


FormerName = Annotated[str, Field(min_length=1, max_length=500)]
_RENAMED = (
    "What it was called before, a name beside it or an address: it keeps its UUID, credentials and envelopes. It may "
    "be removed once it is applied."
)
_PROTECTED = "Whether no plan may destroy it. Lifting the protection takes an apply of its own."


class ReferenceDocument(Noun):
    """The identity of a template that need not be declared here; its documents are then not checked."""

    uuid: UUID = Field(description="The template's UUID.", examples=["1997a1b4-88e3-4f58-88ca-fcd2c6fb5869"])
    version: UUID = Field(description="The version's UUID.", examples=["4a303734-a118-44a2-aedf-67df61612628"])

    @property
    def ref(self) -> TemplateRef:
        """The identity that this is."""
        return TemplateRef(uuid=self.uuid, version=self.version)


class TemplateDocument(ReferenceDocument):
    """A template that rules of any account can name."""

    file: SourceFile = Field(description="The template's XML: documents with fields, and roles.")


class DictionaryDocument(Noun):
    """A table that mappings look values up in."""

    uuid: UUID = Field(description="The dictionary's UUID.", examples=["a5390637-f3b5-49f3-b7f6-48132f6fe8bb"])
    file: SourceFile = Field(description="The table as CSV.")


class MatchDocument(Noun):
    """What an OUT rule looks at: exactly one of the three. Regular expressions are RE2."""

    name: Regex | None = Field(
        default=None, description="The whole file name matches.", examples=[r"ORDERS.*\.edi", r".*\.xlsx"]
    )
    content: Regex | None = Field(
        default=None, description="Some part of the content matches.", examples=[r"UNH\+[^+]+\+ORDERS"]
    )
    attribute: Annotated[str, AfterValidator(_names_attribute)] | None = Field(
        default=None, description="A whole attribute of the transport matches.", examples=["Subject==ORDERS .*"]
    )

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.name, self.content, self.attribute).count(None) != 2:  # noqa: PLR2004 - all but one
            raise ValueError("exactly one of name, content and attribute is needed")
        return self


class ArchiveDocument(Noun):
    """The completed envelope's zip, without some of its parts."""

    exclude: tuple[ArchivePart, ...] = Field(default=(), description="What is left out of the zip.")


class RuleTestDocument(Noun):
    """A test of a rule, for `reconciler test` and the rule's page: the input is converted, what comes out is compared.

    Nothing is created, sent or logged.
    """

    name: Title | None = Field(default=None, description="What the test is called. Default: the input's file name.")
    input: SourceFile = Field(description="The partner's file (out), or the envelope's XML (in).")
    mailbox: Name | None = Field(
        default=None,
        description="Rules of an account only: the mailbox that converts. Default: the account's first by name.",
    )
    expect: str | None = Field(
        default=None,
        min_length=1,
        description="A path to what has to come out. `reconciler test --update` writes it.",
        examples=["tests/order.xml"],
    )
    expect_error: str | None = Field(
        default=None,
        min_length=1,
        description="Instead of expect: the code of the error, or a part of its message.",
        examples=["field_missing"],
    )

    @model_validator(mode="after")
    def _expects_one(self) -> Self:
        if (self.expect is None) == (self.expect_error is None):
            raise ValueError("exactly one of expect and expect_error is needed")
        return self


class RuleDocument(Noun):
    """A conversion rule. Rules are tried in the order in which they stand here; the first that matches is taken."""

    active: bool = Field(default=False, description="Whether the rule is tried at all.")
    direction: Direction = Field(
        description="out: a partner's file becomes an envelope. in: a received envelope becomes a partner's file."
    )
    match: MatchDocument | None = Field(default=None, description="out only: which files the rule takes.")
    source: SourceFormat | None = Field(
        default=None, description="out only: the format of the file. Default: told from its name and content."
    )
    template: Annotated[
        Annotated[str, Field(min_length=1), Tag("name")] | Annotated[ReferenceDocument, Tag("reference")],
        Discriminator(_is_mapping("reference", "name")),
    ] = Field(
        description="The template: a name of this account, `account.template`, or {uuid: …, version: …}.",
        examples=["order", "acme.order"],
    )
    convert: SourceFile | None = Field(default=None, description="The XSLT stylesheet that converts.")
    archive: (
        Annotated[
            Annotated[Literal[True], Tag("whole")] | Annotated[ArchiveDocument, Tag("parts")],
            Discriminator(_is_mapping("parts", "whole")),
        ]
        | None
    ) = Field(
        default=None,
        description="in only, instead of convert: deliver the completed envelope's zip, without what exclude lists.",
    )
    name_pattern: str | None = Field(
        default=None,
        min_length=1,
        description="in only: the name of the file that is delivered.",
        examples=['INV_{"d1":"number"}_{date yyyyMMdd}.xml'],
    )
    validation: tuple[SourceFile, ...] = Field(
        default=(),
        alias="validate",
        description="Schemas (.xsd, .sch, or .xsl that reports in SVRL) that the result must all pass.",
    )
    multiple_envelopes: bool = Field(
        default=False, description="out only: one file may become several envelopes, all or none."
    )
    attributes: dict[str, str] = Field(
        default_factory=dict, description="Attributes of what is made: literals, or XPath over the envelope."
    )
    tests: tuple[RuleTestDocument, ...] = Field(default=(), description="Samples, and what has to become of them.")
    renamed_from: FormerName | None = Field(default=None, description=_RENAMED)
    protected: bool = Field(default=False, description=_PROTECTED)


class AutorejectDocument(Noun):
    """The envelope is rejected; its sender sees the reason."""

    autoreject: str = Field(
        min_length=REASON_LENGTH.start,
        max_length=REASON_LENGTH.stop - 1,
        description="The reason.",
        examples=["We take orders only"],
    )


class IntegrationDocument(Noun):
    """How a mailbox is reached from outside. The section named by `protocol` has the connection details."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Json]

    enabled: bool = Field(default=False, description="Off means that no remote connection is possible.")
    protocol: str = Field(default="sftp", description="How files are exchanged.")
    notify_email: MailAddress | None = Field(
        default=None, description="Whom inbox-notify-email and failures are mailed to.", examples=["edi@acme.example"]
    )
    default_rule: Annotated[
        Annotated[Literal["inbox", "inbox-notify-email"], Tag("action")]
        | Annotated[AutorejectDocument, Tag("autoreject")],
        Discriminator(_is_mapping("autoreject", "action")),
    ] = Field(default="inbox", description="What happens to an incoming envelope that no rule matches.")
    ordered: bool = Field(
        default=False,
        description="Keep the order of what the mailbox sends and receives: each waits for those before it.",
    )
    concurrency: int = Field(
        default=CONCURRENCY, ge=1, le=100, description="How many posts to the partner run at once."
    )
    per_minute: int | None = Field(
        default=None, ge=1, description="How many posts to the partner begin in a minute. Default: as many as can."
    )


class MailboxDocument(Noun):
    """An address inside an account that sends and receives envelopes."""

    name: Title | None = Field(default=None, description="What people call it. Default: its key.")
    aliases: tuple[Alias, ...] = Field(
        default=(),
        description="Further names that maps find it by, each QUALIFIER:VALUE; no other mailbox has the same.",
        examples=[["GLN:4829900003227"]],
    )
    integration: IntegrationDocument | None = Field(
        default=None, description="How it is reached from outside. Without it, it exchanges envelopes inside only."
    )
    rules: dict[Name, RuleDocument] = Field(default_factory=dict, description="Its conversion rules, in order.")
    renamed_from: FormerName | None = Field(default=None, description=_RENAMED)
    protected: bool = Field(default=False, description=_PROTECTED)


class AccountDocument(Noun):
    """A company. Its parts may stand in several files; each part stands in one."""

    name: Title | None = Field(default=None, description="What people call it. Default: its key.")
    templates: dict[Name, TemplateDocument] = Field(default_factory=dict, description="Templates, by name.")
    dictionaries: dict[Name, DictionaryDocument] = Field(default_factory=dict, description="Dictionaries, by name.")
    rules: dict[Name, RuleDocument] = Field(
        default_factory=dict, description="Rules for all its mailboxes, tried after the mailbox's own."
    )
    mailboxes: dict[Name, MailboxDocument] = Field(default_factory=dict, description="Mailboxes, by key.")
    renamed_from: FormerName | None = Field(default=None, description=_RENAMED)
    protected: bool = Field(default=False, description=_PROTECTED)


class AccountsDocument(Noun):
    """A file of the configuration other than `reconciler.yaml`."""

    version: Literal[1] = Field(description="The version of this language.")
    accounts: dict[Name, AccountDocument] = Field(default_factory=dict, description="Accounts, by key.")


class RootDocument(ProjectDocument):
    """`reconciler.yaml`: the root of a configuration."""

    accounts: dict[Name, AccountDocument] = Field(default_factory=dict, description="Accounts, by key.")
