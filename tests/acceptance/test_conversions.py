"""Conversions as a partner and an operator meet them: by real uploads, through real jobs."""

from collections.abc import Iterator
from io import BytesIO
from uuid import UUID
from zipfile import ZipFile

import pytest

from reconciler.envelope import xml
from reconciler.live.views import LogRecord
from tests.acceptance.running_gateway import RunningGateway, await_that

CLAIMS = "accounts.initech.mailboxes.claims"
CONFIGURATION = """
version: 1
accounts:
  initech:
    name: Initech
    dictionaries:
      partners: {uuid: 5f3b2a66-7f0c-4b8e-9d0a-2f6f5f1d7a10, file: ../dictionaries/partners.csv}
    templates:
      claim:
        uuid: 0e6a9d3f-6f0b-4f62-9a3b-0c52f7ad7d01
        version: 7c1f9c0e-2a57-4a86-8c1d-5f9c6ef0b302
        file: ../templates/claim.xml
    mailboxes:
      claims:
        aliases: ["GLN:4999999000001", "VAT:77"]
        integration: {enabled: true}
        rules:
          claims:
            active: true
            direction: out
            match: {name: 'claim.*\\.csv'}
            template: claim
            convert: ../maps/claim.xsl
            validate: [../schemas/claim.sch]
            multiple_envelopes: true
            attributes: {channel: upload, number: '/envelope/documents/document/field[@name = "number"]'}
      court:
        aliases: ["GLN:4999999000002", "DUNS:77"]
"""
TEMPLATE = """<template uuid="0e6a9d3f-6f0b-4f62-9a3b-0c52f7ad7d01" version="7c1f9c0e-2a57-4a86-8c1d-5f9c6ef0b302">
  <documents><document id="c">
    <field name="number" required="true"/><field name="partner name"/>
    <field name="partner" type="dictionary" dictionary="5f3b2a66-7f0c-4b8e-9d0a-2f6f5f1d7a10"
           column="625c231e-0895-41d7-8912-abd557ad1e4b"/>
    <field name="original" type="file"/>
  </document></documents>
  <roles><role id="claimant" type="sender"/><role id="court" type="assignee"/></roles>
</template>"""
MAP = """<xsl:stylesheet version="2.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" exclude-result-prefixes="wd"
    xmlns:wd="java:com.whitedoc.xslt.extensions.WdExtensions">
  <xsl:param name="SENDER_MAILBOX"/><xsl:param name="TEMPLATE_UUID"/><xsl:param name="TEMPLATE_VERSION"/>
  <xsl:template match="/">
    <xsl:for-each select="csv/row">
      <xsl:message select="concat('claim ', cell[@name = 'number'])"/>
      <xsl:variable name="gln" select="cell[@name = 'partner']"/>
      <xsl:variable name="previous"
        select="wd:findEnvelopeUuidByField($TEMPLATE_UUID, 'number', cell[@name = 'after'])"/>
      <envelope templateUuid="{$TEMPLATE_UUID}" templateVersion="{$TEMPLATE_VERSION}">
        <info><subject>Claim</subject></info>
        <documents><document id="c">
          <field name="number"><xsl:value-of select="cell[@name = 'number']"/></field>
          <field name="partner name"><xsl:value-of
            select="wd:getValueFromDictionary('5f3b2a66-7f0c-4b8e-9d0a-2f6f5f1d7a10', 'GLN', $gln, 'NAME')"/></field>
          <field name="partner" recordUuid="{wd:getRecordUuidByValueFromDictionary('partners', 'GLN', $gln)}"/>
          <field name="original" attachmentUuid="{wd:createAttachementWithSourceFile()}"/>
        </document></documents>
        <flow><roles>
          <role id="claimant" mailboxUuid="{$SENDER_MAILBOX}"/>
          <role id="court" mailboxUuid="{wd:getMailboxUuidByAlias(cell[@name = 'court'])}"/>
        </roles></flow>
        <xsl:if test="$previous"><xsl:sequence select="wd:chainEnvelope($previous)"/></xsl:if>
      </envelope>
    </xsl:for-each>
  </xsl:template>
</xsl:stylesheet>"""
RULES = """<schema xmlns="http://purl.oclc.org/dsdl/schematron" queryBinding="xslt2"><pattern>
  <rule context="field[@name = 'number']">
    <assert id="C1" test="matches(., '^[A-Z]-[0-9]+$')">A claim's number is a letter and digits.</assert>
    <assert id="C2" flag="warning" test="string-length(.) > 3">The number is short.</assert>
  </rule></pattern></schema>"""
HEADER = "number,partner,court,after\n"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    gateway = RunningGateway(tmp_path_factory.mktemp("conversions"))
    for name, text in {
        "accounts/initech.yaml": CONFIGURATION,
        "templates/claim.xml": TEMPLATE,
        "maps/claim.xsl": MAP,
        "schemas/claim.sch": RULES,
    }.items():
        (gateway.folder / name).write_text(text)
    gateway.apply()
    gateway.start()
    yield gateway
    gateway.close()


def upload(gateway: RunningGateway, name: str, text: str) -> LogRecord:
    """Upload a file and return the record of its conversion."""
    with gateway.login(CLAIMS) as client:
        client.putfo(BytesIO(text.encode()), f"/coutbox/{name}")

    def converted() -> LogRecord | None:
        return next((one for one in gateway.workspace.log(mailbox=CLAIMS) if one.file_name == name), None)

    found = await_that(converted, f"{name} is converted")
    return gateway.workspace.log_record(found.uuid)


def part(gateway: RunningGateway, record: LogRecord, name: str) -> str:
    done = gateway.command("log", "download", str(record.uuid), "--part", name)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_all_functions_answer_in_real_jobs(gateway: RunningGateway) -> None:
    first = upload(gateway, "claim-1.csv", HEADER + "A-1001,4000002000011,GLN:4999999000002,\n")
    assert (first.status, first.error) == ("PROCESSED", "")
    second = upload(gateway, "claim-2.csv", HEADER + "A-1002,4000002000011,4999999000002,A-1001\n")
    assert (second.status, second.error) == ("PROCESSED", "")

    (uuid,) = second.envelopes
    content = gateway.workspace.envelope_xml(uuid)
    envelope = xml.parse(content)
    assert envelope.chain_uuid == first.envelopes[0]
    assert envelope.field_values("c", "partner name") == ("Globex Sales",)
    fields = {item.name: item for item in envelope.documents[0].items}
    (partner,) = fields["partner"].values  # type: ignore[union-attr]
    assert partner.record_uuid == UUID("13695e87-5fe6-442c-b9cd-e11fe9e54db2")
    (original,) = fields["original"].values  # type: ignore[union-attr]
    assert original.attachment_uuid is not None
    with ZipFile(BytesIO(gateway.workspace.envelope_archive(uuid))) as archive:
        assert archive.read("attachments/claim-2.csv").startswith(b"number,partner")
    assert envelope.roles[1].mailbox_uuid is not None
    assert second.attributes == {"channel": "upload", "number": "A-1002"}
    assert list(second.messages) == ["claim A-1002"]


def test_every_part_of_a_record_is_downloaded(gateway: RunningGateway) -> None:
    record = upload(gateway, "claim-3.csv", HEADER + "B-1,4000002000011,GLN:4999999000002,\n")
    assert part(gateway, record, "input").startswith("number,partner")
    assert '<cell col="1" name="number">B-1</cell>' in part(gateway, record, "source")
    assert ">B-1</field>" in part(gateway, record, "output")
    messages = part(gateway, record, "messages").splitlines()
    assert messages[0] == "claim B-1"
    assert messages[1].endswith("The number is short.")


def test_a_failure_keeps_what_was_made_until_it_came(gateway: RunningGateway) -> None:
    record = upload(gateway, "claim-4.csv", HEADER + "wrong,4000002000011,GLN:4999999000002,\n")
    assert (record.status, record.error_code) == ("FAILED", "validation_failed")
    assert "[C1] A claim's number is a letter and digits." in record.error
    assert ">wrong<" in part(gateway, record, "source")
    assert ">wrong</field>" in part(gateway, record, "output")
    assert part(gateway, record, "messages") == "claim wrong\n"


@pytest.mark.parametrize(
    ("name", "row", "code", "reason"),
    [
        ("claim-5.csv", "C-1005,4000002000011,77,", "alias_ambiguous", "names accounts.initech.mailboxes.claims"),
        ("claim-6.csv", "C-1006,4000002000011,GLN:0,", "mailbox_missing", "roles/court: the role has no mailbox"),
        ("claim-7.csv", "C-1007,unknown,GLN:0,", "mailbox_missing", "roles/court"),
    ],
)
def test_what_cannot_be_answered_is_a_failure_with_code_and_path(
    gateway: RunningGateway, name: str, row: str, code: str, reason: str
) -> None:
    record = upload(gateway, name, f"{HEADER}{row}\n")
    assert (record.status, record.error_code, list(record.envelopes)) == ("FAILED", code, [])
    assert reason in record.error


def test_several_envelopes_are_sent_all_or_none(gateway: RunningGateway) -> None:
    rows = [f"D-10{number},4000002000011,GLN:4999999000002,\n" for number in range(10, 13)]
    record = upload(gateway, "claim-8.csv", HEADER + "".join(rows))
    assert (record.status, len(record.envelopes)) == ("PROCESSED", 3)
    assert part(gateway, record, "output").count("<envelope ") == 3
    before = len(gateway.workspace.envelopes(mailbox=CLAIMS))
    record = upload(gateway, "claim-9.csv", HEADER + "".join(rows) + "D-1013,4000002000011,GLN:0,\n")
    assert (record.status, record.error_code, list(record.envelopes)) == ("FAILED", "mailbox_missing", [])
    assert "envelope 4: roles/court" in record.error
    assert len(gateway.workspace.envelopes(mailbox=CLAIMS)) == before
