"""Whether an envelope is what its template says, before anything is created: every fault, each with code and path.

A path leads to the place in the envelope: `d1/number`, `d1/positions[0]/quantity`, `roles/buyer`.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never
from uuid import UUID

from reconciler.envelope.template import FieldDefinition, FieldGroupDefinition, FieldType, RoleType, TemplateDefinition
from reconciler.envelope.xml import Document, Envelope, Field, FieldGroup, Role, Value
from reconciler.model.template_ref import TemplateRef

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)", re.ASCII)
_DAY_FIRST = re.compile(r"^(\d\d)-(\d\d)-(\d{4})$", re.ASCII)


@dataclass(frozen=True, slots=True)
class EnvelopeFault:
    """One thing that is wrong. `code` is snake_case and stays the same when the wording changes."""

    code: str
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


def check_envelope(
    envelope: Envelope,
    *,
    template: TemplateRef,
    definition: TemplateDefinition | None,
    mailbox_exists: Callable[[UUID], bool],
    sender: UUID,
) -> tuple[EnvelopeFault, ...]:
    """Return what is wrong with an envelope that `sender` is to send by a rule of `template`; nothing when it is fit.

    Without a definition, documents, fields and the identifiers of roles are not looked at.
    """
    return (
        *check_addressing(
            envelope.template, envelope.roles, template=template, mailbox_exists=mailbox_exists, sender=sender
        ),
        *check_content(envelope, definition),
    )


def check_addressing(
    given: TemplateRef,
    roles: Sequence[Role],
    *,
    template: TemplateRef,
    mailbox_exists: Callable[[UUID], bool],
    sender: UUID,
) -> Iterator[EnvelopeFault]:
    """Yield what is wrong with the template and the mailboxes of an envelope, which only the gateway knows."""
    yield from _template_faults(given, template)
    yield from _role_faults(roles, mailbox_exists, sender)


def check_content(envelope: Envelope, definition: TemplateDefinition | None) -> Iterator[EnvelopeFault]:
    """Yield where an envelope is not what its template's definition says; nothing without the definition."""
    if definition is not None and definition.ref == envelope.template:
        yield from _flow_faults(envelope, definition)
        yield from _document_faults(envelope, definition)


def _template_faults(given: TemplateRef, template: TemplateRef) -> Iterator[EnvelopeFault]:
    if given.uuid != template.uuid:
        yield EnvelopeFault(
            "template_differs", "templateUuid", f"the rule's template is {template.uuid}, not {given.uuid}"
        )
    elif given.version != template.version:
        yield EnvelopeFault(
            "version_differs",
            "templateVersion",
            f"the rule's template has the version {template.version}, not {given.version}",
        )


def _role_faults(
    roles: Sequence[Role], mailbox_exists: Callable[[UUID], bool], sender: UUID
) -> Iterator[EnvelopeFault]:
    if not roles:
        yield EnvelopeFault("roles_missing", "roles", "there is no role, so nobody sends and nobody receives")
    elif not roles[1:]:
        yield EnvelopeFault("recipient_missing", "roles", "there is no role but the sender's, so nobody receives")
    for position, role in enumerate(roles):
        path = f"roles/{role.id}"
        if role.mailbox_uuid is None:
            yield EnvelopeFault("mailbox_missing", path, "the role has no mailbox")
        elif position == 0 and role.mailbox_uuid != sender:
            yield EnvelopeFault("sender_differs", path, f"the sender is {sender}, not {role.mailbox_uuid}")
        elif not mailbox_exists(role.mailbox_uuid):
            yield EnvelopeFault("mailbox_unknown", path, f"there is no mailbox {role.mailbox_uuid}")


def _flow_faults(envelope: Envelope, definition: TemplateDefinition) -> Iterator[EnvelopeFault]:
    known = {role.id: role for role in definition.roles}
    ids = [role.id for role in envelope.roles]
    for position, id_ in enumerate(ids):
        path = f"roles/{id_}"
        if id_ not in known:
            yield EnvelopeFault("role_unknown", path, f"the template has no such role; it has {', '.join(known)}")
        elif id_ in ids[:position]:
            yield EnvelopeFault("role_twice", path, "the role stands here twice")
        elif (known[id_].type is RoleType.SENDER) != (position == 0):
            yield EnvelopeFault(
                "sender_misplaced", path, f"the first role, and no other, is the sender's: {definition.roles[0].id}"
            )
    for id_ in known:
        if id_ not in ids:
            yield EnvelopeFault("role_missing", f"roles/{id_}", "the template has this role, the envelope has not")


def _document_faults(envelope: Envelope, definition: TemplateDefinition) -> Iterator[EnvelopeFault]:
    sender = definition.roles[0].id
    known = {document.id: document for document in definition.documents}
    written: dict[str, Document] = {}
    for document in envelope.documents:
        if document.id not in known:
            reason = f"the template has no such document; it has {', '.join(known)}"
            yield EnvelopeFault("document_unknown", document.id, reason)
        elif document.id in written:
            yield EnvelopeFault("document_twice", document.id, "the document stands here twice")
        written[document.id] = document
    for id_, wanted in known.items():
        items = written[id_].items if id_ in written else ()
        yield from _item_faults(id_, items, wanted.items, sender)


def _item_faults(
    path: str,
    items: Sequence[Field | FieldGroup],
    wanted: Sequence[FieldDefinition | FieldGroupDefinition],
    sender: str,
) -> Iterator[EnvelopeFault]:
    """Yield the faults of the fields of one document, or of one row of a table."""
    found: dict[str, Field | FieldGroup] = {}
    known = {definition.name: definition for definition in wanted}
    for item in items:
        if item.name not in known:
            reason = f"the template has no such field here; it has {', '.join(known)}"
            yield EnvelopeFault("field_unknown", f"{path}/{item.name}", reason)
        elif item.name in found:
            yield EnvelopeFault("field_twice", f"{path}/{item.name}", "the field stands here twice")
        found[item.name] = item
    for name, definition in known.items():
        match definition:
            case FieldDefinition():
                yield from _field_faults(f"{path}/{name}", found.get(name, Field(name)), definition, sender)
            case FieldGroupDefinition():
                yield from _table_faults(f"{path}/{name}", found.get(name, FieldGroup(name)), definition, sender)
            case _:
                assert_never(definition)


def _field_faults(
    path: str, item: Field | FieldGroup, definition: FieldDefinition, sender: str
) -> Iterator[EnvelopeFault]:
    if isinstance(item, FieldGroup):
        yield EnvelopeFault("value_mistyped", path, "the template has a field here, the envelope a table")
        return
    values = [value for value in item.values if value.filled]
    if definition.required and definition.role == sender and not values:
        yield EnvelopeFault("field_missing", path, "the field is required and not filled")
    if len(values) > 1 and not definition.multiple:
        yield EnvelopeFault("values_too_many", path, f"the field takes one value and has {len(values)}")
    for value in values:
        fits, expected = _fits(value, definition)
        if not fits:
            yield EnvelopeFault("value_mistyped", path, f"'{value.text.strip()[:60]}' is not {expected}")


def _table_faults(
    path: str, item: Field | FieldGroup, definition: FieldGroupDefinition, sender: str
) -> Iterator[EnvelopeFault]:
    if isinstance(item, Field):
        yield EnvelopeFault("value_mistyped", path, "the template has a table here, the envelope a field")
        return
    if definition.required and not item.fieldsets:
        yield EnvelopeFault("field_missing", path, "the table is required and has no row")
    for fieldset in item.fieldsets:
        yield from _item_faults(f"{path}[{fieldset.index}]", fieldset.fields, definition.fields, sender)


def _fits(value: Value, definition: FieldDefinition) -> tuple[bool, str]:
    """Say whether a value is of the field's type, and what that type expects."""
    text = value.text.strip()
    match definition.type:
        case FieldType.NUMBER | FieldType.CURRENCY:
            fits, expected = _NUMBER.fullmatch(text) is not None, "a number such as 12 or 12.50"
        case FieldType.DATE:
            fits, expected = _is_date(text), "a date such as 2026-01-31 or 31-01-2026"
        case FieldType.CHECKBOX | FieldType.DROPDOWN | FieldType.CHOICE:
            options = definition.options or ("1", "0", "true", "false")
            fits, expected = text in options, f"one of {', '.join(options)}"
        case FieldType.DICTIONARY:
            fits, expected = value.record_uuid is not None, "a record of the dictionary: recordUuid is missing"
        case FieldType.FILE:
            fits, expected = value.attachment_uuid is not None, "an attachment: attachmentUuid is missing"
        case FieldType.SIGNATURE:
            fits, expected = text.startswith("data:image/"), "an image as a data: URL"
        case FieldType.TEXT | FieldType.LOOKUP | FieldType.FORMULA | FieldType.DUPLICATE | FieldType.AUTONUMBER:
            fits, expected = True, "a text"
        case _:
            assert_never(definition.type)
    return fits, expected


def _is_date(text: str) -> bool:
    """Accept ISO 8601, with or without a time, and day-month-year, which maps of the original write."""
    try:
        datetime.fromisoformat(_DAY_FIRST.sub(r"\3-\2-\1", text))
    except ValueError:
        return False
    return True
