"""A gateway's configuration of as many mailboxes as asked for, each of which sends orders of 10 kB to the next one."""

from itertools import cycle
from pathlib import Path
from uuid import UUID

from benchmarks.conversion.materials import xml_map, xml_order
from reconciler.model.key import Key
from reconciler.plan.making import CAREFUL
from reconciler.service.workspace import Workspace
from reconciler.store import configuration
from tests.acceptance.running_gateway import free_port

TEMPLATE = UUID(int=1)
VERSION = UUID(int=2)

_TEMPLATE = f"""<template uuid="{TEMPLATE}" version="{VERSION}" name="Order">
  <documents><document id="order" name="Order">
    <field name="number" required="true"/>
    <fieldgroup name="lines"><field name="article" required="true"/><field name="quantity" type="number"/></fieldgroup>
  </document></documents>
  <roles><role id="buyer" type="sender" name="Buyer"/><role id="seller" type="assignee" name="Seller"/></roles>
</template>
"""

_ROLES = '<role id="buyer" mailboxUuid="{$SENDER_MAILBOX}"/><role id="seller" mailboxUuid="{/order/to}"/>'

_IN = """<xsl:stylesheet version="3.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:template match="/envelope">
    <order number="{documents/document/field[@name = 'number']}">
      <xsl:for-each select="documents/document/fieldgroup/fieldset">
        <item article="{field[@name = 'article']}"><xsl:value-of select="field[@name = 'quantity']"/></item>
      </xsl:for-each>
    </order>
  </xsl:template>
</xsl:stylesheet>
"""

_ACCOUNT = """version: 1
accounts:
  trade:
    templates: {{order: {{uuid: {template}, version: {version}, file: template.xml}}}}
    rules:
      out: {{active: true, direction: out, match: {{name: '.*'}}, template: order, convert: out.xsl}}
      in: {{active: true, direction: in, template: order, convert: in.xsl, name_pattern: '{{"order":"number"}}.xml'}}
    mailboxes:
{mailboxes}
"""


class World:
    """A configuration that is applied. `url` is the store's, where it is not a folder."""

    def __init__(self, folder: Path, *, mailboxes: int, url: str | None = None, payloads: str | None = None) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.sftp_port, self.http_port = free_port(), free_port()
        lines = [
            "version: 1",
            f"state: {url or '.reconciler'}",
            *([f"payloads: {payloads}"] if payloads else []),
            "gateway:",
            f'  sftp: {{listen: "127.0.0.1:{self.sftp_port}"}}',
            f'  http: {{listen: "127.0.0.1:{self.http_port}"}}',
        ]
        names = [f"m{number}" for number in range(max(mailboxes, 2))]
        listed = "\n".join(f"      {name}: {{integration: {{enabled: true}}}}" for name in names)
        (folder / "reconciler.yaml").write_text("\n".join(lines) + "\n")
        (folder / "trade.yaml").write_text(_ACCOUNT.format(template=TEMPLATE, version=VERSION, mailboxes=listed))
        (folder / "template.xml").write_text(_TEMPLATE)
        (folder / "out.xsl").write_text(xml_map(_ROLES))
        (folder / "in.xsl").write_text(_IN)
        self.workspace = Workspace.open(folder)
        desired = self.workspace.load()
        self.workspace.apply(self.workspace.plan(desired, CAREFUL), desired, actor="benchmark")
        with self.workspace.store.read() as connection:
            uuids = configuration.mailbox_uuids(connection)
        self.mailboxes = [uuids[Key.parse(address(name))] for name in names[: max(mailboxes, 2)]]
        # With one mailbox asked for, one sends and another receives; otherwise each sends to the next.
        pairs = list(zip(self.mailboxes, self.mailboxes[1:] + self.mailboxes[:1], strict=True))
        self.pairs = cycle(pairs[:1] if mailboxes == 1 else pairs)

    def close(self) -> None:
        self.workspace.close()


def address(name: str) -> str:
    return f"accounts.trade.mailboxes.{name}"


def order(number: int, recipient: UUID) -> bytes:
    """Return an order of about 10 kB that is like no other."""
    return xml_order(number, f"<to>{recipient}</to>")
