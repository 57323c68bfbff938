"""A configuration of any size: ten mailboxes with two rules each in every file, and a template in the first."""

from pathlib import Path
from uuid import UUID, uuid5

PER_FILE = 10
_NAMES = UUID("0c1b5e6e-7a2f-4b8e-9f35-0d6f1f2a9c11")

_STYLESHEET = """<xsl:stylesheet xmlns:xsl="http://www.w3.org/1999/XSL/Transform" version="3.0">
  <xsl:template match="/"><{name}><xsl:copy-of select="."/></{name}></xsl:template>
</xsl:stylesheet>
"""
_TEMPLATE = """<template uuid="{uuid}" version="{version}" name="Order">
  <documents><document id="d1"><field name="number" required="true"/></document></documents>
  <roles><role id="seller" type="sender"/><role id="buyer" type="assignee"/></roles>
</template>
"""


def write(folder: Path, mailboxes: int, *, changed: float = 0.0) -> None:
    """Write a configuration of so many mailboxes; that share of them, spread evenly, differs from `changed=0`."""
    uuid, version = uuid5(_NAMES, "template"), uuid5(_NAMES, "version")
    files = {
        "reconciler.yaml": "version: 1\n",
        "templates/order.xml": _TEMPLATE.format(uuid=uuid, version=version),
        "maps/out.xsl": _STYLESHEET.format(name="out"),
        "maps/in.xsl": _STYLESHEET.format(name="in"),
        "accounts/shared.yaml": "version: 1\naccounts:\n  shared:\n    templates:\n"
        f"      order: {{uuid: {uuid}, version: {version}, file: ../templates/order.xml}}\n",
    }
    step = round(1 / changed) if changed else 0
    for number in range(mailboxes // PER_FILE):
        lines = ["version: 1", "accounts:", f"  company-{number}:", f"    name: Company {number}", "    mailboxes:"]
        for index in range(PER_FILE):
            mailbox = number * PER_FILE + index
            lines += _mailbox(mailbox, edited=bool(step) and mailbox % step == 0)
        files[f"accounts/{number // 1000:02}/company-{number}.yaml"] = "\n".join(lines) + "\n"
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def edit(folder: Path, name: str) -> None:
    """Call an account otherwise, in the one file that it is in."""
    path = folder / "accounts" / "00" / "company-0.yaml"
    lines = path.read_text().splitlines(keepends=True)
    lines[3] = f"    name: {name}\n"
    path.write_text("".join(lines))


def _mailbox(number: int, *, edited: bool) -> list[str]:
    return [
        f"      mailbox-{number}:",
        f"        name: {'Renamed' if edited else 'Mailbox'} {number}",
        f'        aliases: ["GLN:{4_000_000_000_000 + number}"]',
        "        integration:",
        "          enabled: true",
        "          protocol: sftp",
        f"          sftp: {{allow_from: [10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}]}}",
        f"          notify_email: edi-{number}@company.example",
        "          default_rule: inbox-notify-email",
        "        rules:",
        "          orders-from-edifact:",
        "            active: true",
        "            direction: out",
        f"            match: {{name: 'ORDERS_{number}_.*\\.edi'}}",
        "            source: edifact",
        "            template: shared.order",
        "            convert: ../../maps/out.xsl",
        "          orders-to-erp:",
        "            active: true",
        "            direction: in",
        "            template: shared.order",
        "            convert: ../../maps/in.xsl",
        f"            name_pattern: 'ORDER_{number}_{{envelopeUuid}}.xml'",
    ]
