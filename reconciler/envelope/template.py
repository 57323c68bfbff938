"""A template's definition, one XML file: which documents, fields and roles its envelopes have.

    <template uuid="…" version="…" name="Order">
      <documents>
        <document id="d1" name="Order">
          <field name="number" type="text" required="true"/>
          <field name="terms" type="dropdown"><option>30 days</option><option>60 days</option></field>
          <field name="supplier" type="dictionary" dictionary="UUID" column="UUID"/>
          <field name="received by" type="signature" role="buyer"/>
          <fieldgroup name="positions" required="true">
            <field name="product" type="text" required="true"/>
          </fieldgroup>
        </document>
      </documents>
      <roles>
        <role id="seller" type="sender" name="Seller"/>
        <role id="buyer" type="signer" name="Buyer"/>
      </roles>
    </template>

- `type` is one of `FieldType`, `text` when it is absent; a table is a `fieldgroup` and holds fields.
- `required` asks for a value, in a table for one in every row, and for a row in the table itself. It is due from the
  `role` that fills the field, which is the sender when none is named; a signature is always some signer's.
- `multiple="true"` allows several values.
- `dropdown` and `choice` list their options; `dictionary` and `lookup` name a dictionary and a column by UUID.
- The first role is the sender's, and no other is.
- `formula`, `duplicate`, `lookup` and `autonumber` are filled by the system, so that they are never required.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeVar
from uuid import UUID

from reconciler.envelope.element import Element
from reconciler.model.template_ref import TemplateRef


class FieldType(StrEnum):
    """What a field may hold."""

    TEXT = "text"
    NUMBER = "number"
    CURRENCY = "currency"
    DATE = "date"
    DICTIONARY = "dictionary"
    LOOKUP = "lookup"
    FORMULA = "formula"
    DUPLICATE = "duplicate"
    AUTONUMBER = "autonumber"
    CHECKBOX = "checkbox"
    DROPDOWN = "dropdown"
    CHOICE = "choice"
    FILE = "file"
    SIGNATURE = "signature"


AUTOMATIC = frozenset({FieldType.LOOKUP, FieldType.FORMULA, FieldType.DUPLICATE, FieldType.AUTONUMBER})
"""What the system fills."""


class RoleType(StrEnum):
    """What a role does."""

    SENDER = "sender"
    ASSIGNEE = "assignee"
    SIGNER = "signer"


W = TypeVar("W", bound=StrEnum)


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldDefinition:
    """A field. `role` is the identifier of the role that fills it."""

    name: str
    type: FieldType = FieldType.TEXT
    required: bool = False
    multiple: bool = False
    role: str
    options: tuple[str, ...] = ()
    dictionary: UUID | None = None
    column: UUID | None = None


@dataclass(frozen=True, slots=True)
class FieldGroupDefinition:
    """A table and the fields of each of its rows."""

    name: str
    required: bool
    fields: tuple[FieldDefinition, ...]


@dataclass(frozen=True, slots=True)
class DocumentDefinition:
    """A document and what stands in it."""

    id: str
    name: str
    items: tuple[FieldDefinition | FieldGroupDefinition, ...]


@dataclass(frozen=True, slots=True)
class RoleDefinition:
    """A role of the flow."""

    id: str
    type: RoleType
    name: str


@dataclass(frozen=True, slots=True)
class TemplateDefinition:
    """What envelopes of one template are made of; the first role is the sender's."""

    ref: TemplateRef
    name: str
    documents: tuple[DocumentDefinition, ...]
    roles: tuple[RoleDefinition, ...]

    def field_type(self, document_id: str, name: str) -> FieldType | None:
        """Return the type of a field that stands in no table; None when there is no such field."""
        for document in self.documents:
            for item in document.items:
                if document.id == document_id and isinstance(item, FieldDefinition) and item.name == name:
                    return item.type
        return None


def parse_template(xml: bytes) -> TemplateDefinition:
    """Read a template's definition. Raises XmlError, a ValueError that knows the line."""
    root = Element.root(xml, "template")
    ref = TemplateRef(uuid=root.required_uuid("uuid"), version=root.required_uuid("version"))
    name = root.attribute("name")
    parts = root.parts("documents", "roles")
    for tag in ("documents", "roles"):
        if tag not in parts:
            raise root.wrong(f"needs the element {tag}")
    roles = _roles(parts["roles"])
    documents = tuple(_document(child, roles) for child in parts["documents"].children("document"))
    _refuse_twins(parts["documents"], [document.id for document in documents])
    return TemplateDefinition(ref, name, documents, roles)


def _roles(element: Element) -> tuple[RoleDefinition, ...]:
    roles: list[RoleDefinition] = []
    for child in element.children("role"):
        role = RoleDefinition(child.required("id"), _one_of(child, RoleType, "type"), child.attribute("name"))
        child.end()
        if (role.type is RoleType.SENDER) != (not roles):
            raise child.wrong("is out of order: the first role is the sender, and there is no second sender")
        roles.append(role)
    if not roles:
        raise element.wrong("needs a role of the type sender")
    _refuse_twins(element, [role.id for role in roles])
    return tuple(roles)


def _document(element: Element, roles: Sequence[RoleDefinition]) -> DocumentDefinition:
    id_, name = element.required("id"), element.attribute("name")
    items = tuple(
        _field(child, roles) if child.tag == "field" else _field_group(child, roles)
        for child in element.children("field", "fieldgroup")
    )
    _refuse_twins(element, [item.name for item in items])
    return DocumentDefinition(id_, name, items)


def _field_group(element: Element, roles: Sequence[RoleDefinition]) -> FieldGroupDefinition:
    name, required = element.required("name"), bool(element.flag("required"))
    fields = tuple(_field(child, roles) for child in element.children("field"))
    if not fields:
        raise element.wrong("needs a field")
    _refuse_twins(element, [field.name for field in fields])
    return FieldGroupDefinition(name, required, fields)


def _field(element: Element, roles: Sequence[RoleDefinition]) -> FieldDefinition:
    field = FieldDefinition(
        name=element.required("name"),
        type=_one_of(element, FieldType, "type", FieldType.TEXT),
        required=bool(element.flag("required")),
        multiple=bool(element.flag("multiple")),
        role=element.attribute("role"),
        dictionary=element.uuid("dictionary"),
        column=element.uuid("column"),
        options=tuple(child.text() for child in element.children("option")),
    )
    if field.required and field.type in AUTOMATIC:
        raise element.wrong(f"of the type {field.type} is filled by the system and cannot be required")
    if bool(field.options) != (field.type in {FieldType.DROPDOWN, FieldType.CHOICE}):
        raise element.wrong(f"of the type {field.type}: dropdown and choice have options, no other type has")
    looks_up = field.type in {FieldType.DICTIONARY, FieldType.LOOKUP}
    if (field.dictionary is not None, field.column is not None) != (looks_up, looks_up):
        raise element.wrong(
            f"of the type {field.type}: dictionary and lookup name dictionary and column, no other does"
        )
    if field.type is FieldType.SIGNATURE:
        if all(role.id != field.role for role in roles if role.type is RoleType.SIGNER):
            raise element.wrong("of the type signature needs the attribute role, which names a role of the type signer")
    elif field.role and all(role.id != field.role for role in roles):
        raise element.wrong(f"names the role '{field.role}', which the template does not have")
    return field if field.role else replace(field, role=roles[0].id)


def _one_of(element: Element, words: type[W], name: str, default: W | None = None) -> W:
    text = element.attribute(name)
    if default is not None and not text:
        return default
    if text not in [word.value for word in words]:
        raise element.wrong(f"needs the attribute {name}, one of {', '.join(words)}")
    return words(text)


def _refuse_twins(element: Element, names: Iterable[str]) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            raise element.wrong(f"holds '{name}' twice")
