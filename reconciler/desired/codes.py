"""Every kind of mistake in a configuration, by a code that stays the same when the wording changes."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Self


class Code(StrEnum):
    """What is wrong, in one word each; `explanation` says what it means and how it is mended."""

    explanation: str

    def __new__(cls, code: str, explanation: str) -> Self:
        """Make a member of its code and the sentence that explains it."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.explanation = explanation
        return member

    NOT_UTF8 = "not-utf-8", "The file is not text in UTF-8; save it in that encoding."
    YAML_SYNTAX = "yaml-syntax", "The file is not YAML; the position is where reading it became impossible."
    YAML_TAG = "yaml-tag", "Tags such as !include mean nothing here; write the value itself."
    YAML_ALIAS = (
        "yaml-alias",
        "An alias (*name) has no anchor (&name) above it, contains itself, or multiplies too much.",
    )
    TOO_DEEP = "too-deep", "The nesting is deeper than any configuration needs."
    NULL_VALUE = (
        "null-value",
        "A key without a value is refused: leave it out for its default, or write {} or [] for empty.",
    )
    DUPLICATE_KEY = "duplicate-key", "The same key stands twice in one mapping; one of the two would be lost."
    DUPLICATE_OBJECT = "duplicate-object", "The same object is defined in two places; each is defined once."
    UNDEFINED_VARIABLE = (
        "undefined-variable",
        "A variable has no value: define it under vars, set it in the process, or write ${name:-default}.",
    )
    UNKNOWN_KEY = "unknown-key", "The key is not one of those that are possible here; most often it is misspelt."
    MISSING_KEY = "missing-key", "A key that has no default is not there."
    BAD_NAME = "bad-name", "Names have letters, digits, _ and -, begin with a letter or digit, and are at most 63 long."
    BAD_VALUE = "bad-value", "The value is not of the type, or not one of the values, that the key takes."
    UNUSED_SECTION = "unused-section", "A protocol's section stands in an integration that has another protocol."
    INCOMPLETE_INTEGRATION = (
        "incomplete-integration",
        "An enabled integration lacks what its protocol needs to connect.",
    )
    UNKNOWN_REFERENCE = "unknown-reference", "A name refers to an object that no file of the configuration defines."
    DUPLICATE_ALIAS = "duplicate-alias", "Two mailboxes have the same alias; a look-up by it could not decide."
    DUPLICATE_UUID = "duplicate-uuid", "Two objects have the same UUID (and version); one would hide the other."
    MISSING_FILE = "missing-file", "A file that the configuration names is not there."
    BAD_FILE = "bad-file", "A file cannot be used: it lies outside the configuration, is too large or cannot be read."
    PATTERN = "pattern", "A regular expression does not compile; expressions are RE2, which never hangs."
    NAME_PATTERN = "name-pattern", "The pattern by which an IN rule names its files does not compile."
    STYLESHEET = "stylesheet", "An XSLT stylesheet does not compile."
    SCHEMA = "schema", "An XML Schema does not compile."
    SCHEMATRON = "schematron", "A Schematron schema does not compile."
    DIRECTORY = "edifact-directory", "A table of the folder edifact/ is not written in their notation."
    TEMPLATE = "template", "A template's XML file is not a template."
    DICTIONARY = "dictionary", "A dictionary's CSV file is not a dictionary."
    CERTIFICATE = "certificate", "A file that should hold certificates in PEM does not."
    TEMPLATE_IDENTITY = (
        "template-identity",
        "The XML file of a template has another UUID or version than the YAML that names the file.",
    )
    CERTIFICATE_EXPIRED = "certificate-expired", "A partner's certificate is not valid any more; get the next one."
    CERTIFICATE_EXPIRES = (
        "certificate-expires",
        "A partner's certificate ends within 30 days; add the next one beside it in time.",
    )
    WEAK_KEY = "weak-key", "The key of a certificate is too short: RSA keys have 2048 bits or more, EC keys 224."
    DUPLICATE_PARTNERSHIP = (
        "duplicate-partnership",
        "Two enabled integrations have the same pair of AS2 names; what arrives could not be told apart.",
    )
    UNREACHABLE_RULE = "unreachable-rule", "A rule above it takes everything that this one would; reorder or remove it."
    UNUSED_RULE = "unused-rule", "No mailbox can use the rule; give one an integration, or remove the rule."
    NO_MAIL = "no-mail", "Mail is to be sent, but reconciler.yaml has no gateway.smtp; the mail cannot leave."
    SECRET_IN_CLEAR = "secret-in-clear", "A password stands in a file; anybody who may read the configuration has it."


CODES: Mapping[str, Code] = MappingProxyType({code.value: code for code in Code})
"""Every code by its own text."""
