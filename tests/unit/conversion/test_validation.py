"""XML Schemas, with includes from the rule's own files only, and what a finding does to a conversion."""

from pathlib import Path

import pytest
from lxml import etree

from reconciler.conversion.rule_file import RuleFile
from reconciler.conversion.validation import Finding, SchemaError, compile_validation, refuse, xml_schema
from reconciler.conversion.xslt import Saxon
from reconciler.errors import ConversionError

XS = 'xmlns:xs="http://www.w3.org/2001/XMLSchema"'
ORDER = f"""<xs:schema {XS} targetNamespace="urn:order" xmlns="urn:order" elementFormDefault="qualified">
  <xs:include schemaLocation="../common/types.xsd"/>
  <xs:element name="order"><xs:complexType><xs:sequence>
    <xs:element name="number" type="Number"/>
  </xs:sequence></xs:complexType></xs:element>
</xs:schema>"""
TYPES = f"""<xs:schema {XS} xmlns="urn:order" targetNamespace="urn:order" elementFormDefault="qualified">
  <xs:include schemaLocation="deeper/number.xsd"/>
  <xs:simpleType name="Number"><xs:restriction base="Digits"><xs:maxLength value="4"/></xs:restriction></xs:simpleType>
</xs:schema>"""
NUMBER = f"""<xs:schema {XS}>
  <xs:simpleType name="Digits">
    <xs:restriction base="xs:string"><xs:pattern value="[0-9]+"/></xs:restriction>
  </xs:simpleType>
</xs:schema>"""


def rule_file(**contents: str) -> RuleFile:
    return RuleFile("order.xsd", {name: text.encode() for name, text in contents.items()})


def document(text: str) -> etree._ElementTree:
    return etree.ElementTree(etree.fromstring(text.encode()))


COMPLETE = {"order.xsd": ORDER, "../common/types.xsd": TYPES, "../common/deeper/number.xsd": NUMBER}


def test_a_schema_with_its_parts_accepts_and_refuses() -> None:
    validate = xml_schema(rule_file(**COMPLETE))
    assert not validate(document('<order xmlns="urn:order"><number>4711</number></order>'))
    (*_, finding) = validate(document('<order xmlns="urn:order">\n<number>x</number></order>'))
    assert finding.refuses
    assert finding.location == "line 2, /*/*"
    assert "number" in finding.text


def test_the_w3c_s_doctype_and_its_schema_of_the_xml_namespace_keep_nothing_from_compiling() -> None:
    signature = """<?xml version="1.0"?>
<!-- <!DOCTYPE no> -->
<!DOCTYPE schema PUBLIC "-//W3C//DTD XMLSchema 200102//EN" "http://www.w3.org/2001/XMLSchema.dtd" [
  <!ATTLIST schema xmlns:ds CDATA #FIXED "urn:ds">
  <!ENTITY dsig 'urn:ds#]>'> <!ENTITY % p ''>
]>
<schema xmlns="http://www.w3.org/2001/XMLSchema" xmlns:ds="urn:ds" targetNamespace="urn:ds">
  <import namespace="http://www.w3.org/XML/1998/namespace" schemaLocation="http://www.w3.org/2001/xml.xsd"/>
  <element name="Signature"><complexType><attribute ref="xml:lang" use="required"/></complexType></element>
</schema>"""
    validate = xml_schema(rule_file(**{"order.xsd": signature}))
    assert not validate(document('<d:Signature xmlns:d="urn:ds" xml:lang="de"/>'))
    (finding,) = validate(document('<d:Signature xmlns:d="urn:ds"/>'))
    assert "lang" in finding.text
    with pytest.raises(ConversionError, match="dsig"):
        xml_schema(rule_file(**{"order.xsd": signature.replace('"Signature"', '"&dsig;"')}))


def test_a_part_that_is_not_among_the_files_is_named_and_never_read_from_the_disk(tmp_path: Path) -> None:
    stranger = tmp_path / "types.xsd"
    stranger.write_text(TYPES)
    with pytest.raises(SchemaError) as caught:
        xml_schema(rule_file(**{"order.xsd": ORDER}))
    assert caught.value.code == "schema_invalid"
    assert "'../common/types.xsd' is not among the files" in str(caught.value)
    with pytest.raises(SchemaError, match="is not among the files"):
        xml_schema(rule_file(**{"order.xsd": ORDER.replace("../common/types.xsd", stranger.as_uri())}))
    with pytest.raises(SchemaError, match="is not among the files"):
        xml_schema(rule_file(**{"order.xsd": ORDER.replace("../common/types.xsd", str(stranger))}))
    with pytest.raises(SchemaError, match="is not among the files"):
        xml_schema(rule_file(**{"order.xsd": ORDER.replace("../common/types.xsd", "http://127.0.0.1:9/types.xsd")}))


def test_errors_of_a_schema_name_the_file_and_line() -> None:
    with pytest.raises(SchemaError) as caught:
        xml_schema(rule_file(**COMPLETE | {"order.xsd": ORDER.replace('type="Number"', 'type="None"')}))
    assert (caught.value.faults[0].file, caught.value.faults[0].line) == (None, 4)
    with pytest.raises(SchemaError) as caught:
        xml_schema(rule_file(**COMPLETE | {"../common/types.xsd": TYPES.replace('base="Digits"', 'base="None"')}))
    assert (caught.value.faults[0].file, caught.value.faults[0].line) == ("../common/types.xsd", 3)


@pytest.mark.parametrize("name", ["order.xsd", "../common/types.xsd"])
@pytest.mark.parametrize(
    "content",
    ["<xs:schema", f"<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/hostname'>]><xs:schema {XS}>&e;</xs:schema>"],
)
def test_a_schema_that_is_not_xml_or_has_entities_of_its_own_is_refused(name: str, content: str) -> None:
    with pytest.raises(ConversionError) as caught:
        xml_schema(rule_file(**COMPLETE | {name: content}))
    assert caught.value.code == "schema_invalid"
    assert name in str(caught.value)


def test_the_extension_decides_the_language() -> None:
    saxon = Saxon(lambda: "")
    with pytest.raises(ConversionError) as caught:
        compile_validation(RuleFile("RULES.SCH", {"RULES.SCH": ORDER.encode()}), saxon)
    assert caught.value.code == "schematron_invalid"
    assert not compile_validation(rule_file(**COMPLETE), saxon)(
        document('<order xmlns="urn:order"><number>1</number></order>')
    )


def test_findings_that_refuse_are_told_together_and_warnings_come_back() -> None:
    warning = Finding("/a", "odd", refuses=False)
    assert refuse("a.sch", [warning]) == ("a.sch: /a: odd",)
    with pytest.raises(ConversionError) as caught:
        refuse("a.sch", [warning, *(Finding(f"/a/b[{number}]", "wrong") for number in range(1, 24))])
    assert caught.value.code == "validation_failed"
    assert str(caught.value).startswith("a.sch: /a/b[1]: wrong; /a/b[2]: wrong")
    assert str(caught.value).endswith("; and 3 more")
