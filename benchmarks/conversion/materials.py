"""What the benchmarks convert: an order of about 10 kB as XML and as EDIFACT, a map for each, a workbook."""

from io import BytesIO
from zipfile import ZIP_DEFLATED, ZipFile

_LINES = 60
_SELLER = '<role id="seller" mailboxUuid="{$SENDER_MAILBOX}"/>'
_MAP = """<xsl:stylesheet version="3.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" exclude-result-prefixes="#all">
  <xsl:param name="SENDER_MAILBOX"/><xsl:param name="TEMPLATE_UUID"/><xsl:param name="TEMPLATE_VERSION"/>
  <xsl:template match="/">
    <envelope templateUuid="{{$TEMPLATE_UUID}}" templateVersion="{{$TEMPLATE_VERSION}}">
      <info><subject>Order <xsl:value-of select="{number}"/></subject></info>
      <documents><document id="order">
        <field name="number"><xsl:value-of select="{number}"/></field>
        <fieldgroup name="lines">
          <xsl:for-each select="{lines}">
            <fieldset index="{{position() - 1}}">
              <field name="article"><xsl:value-of select="normalize-space({article})"/></field>
              <field name="quantity"><xsl:value-of select="format-number({quantity}, '0.00')"/></field>
            </fieldset>
          </xsl:for-each>
        </fieldgroup>
      </document></documents>
      <flow><roles>{roles}</roles></flow>
    </envelope>
  </xsl:template>
</xsl:stylesheet>
"""


def xml_map(roles: str = _SELLER) -> str:
    """Return the map of orders that are XML, whose envelopes have these roles."""
    return _MAP.format(number="/order/number", lines="/order/line", article="article", quantity="quantity", roles=roles)


ORDERS_MAP = _MAP.format(
    number="/EANCOM/ORDERS/BGM/BGM02",
    lines="/EANCOM/ORDERS/GROUP_25",
    article="LIN/LIN03/LIN0301",
    quantity="QTY[QTY01/QTY0101 = '21']/QTY01/QTY0102",
    roles=_SELLER,
)


def xml_order(number: int = 4711, more: str = "") -> bytes:
    """Return an order as XML, with `more` after its number."""
    lines = "".join(
        f"<line><position>{position}</position><article>40008621{position:05}</article><quantity>{position}</quantity>"
        f"<price currency='EUR'>{position}.50</price><text>Article number {position}, as agreed</text></line>"
        for position in range(1, _LINES + 1)
    )
    return f"<?xml version='1.0' encoding='UTF-8'?><order><number>{number}</number>{more}{lines}</order>".encode()


def orders(lines: int = 100) -> bytes:
    """Return an order as EDIFACT; of about 10 kB with 100 lines."""
    segments = [
        "UNH+1+ORDERS:D:96A:UN:EAN008",
        "BGM+220+4711+9",
        "DTM+137:20261121:102",
        "NAD+BY+5412345000013::9",
        "NAD+SU+4012345000009::9",
        "CUX+2:EUR:9",
    ]
    for number in range(1, lines + 1):
        segments += [
            f"LIN+{number}++40008621{number:05}:EN",
            f"IMD+F++:::ARTICLE NUMBER {number} AS AGREED",
            f"QTY+21:{number}:PCE",
            f"PRI+AAA:{number}.50:CT",
        ]
    segments += ["UNS+S", f"CNT+2:{lines}"]
    segments.append(f"UNT+{len(segments) + 1}+1")
    message = "'".join(segments)
    return f"UNA:+.? 'UNB+UNOC:3+5412345000013:14+4012345000009:14+261121:1200+1'{message}'UNZ+1+1'".encode()


def workbook(rows: int, columns: int) -> bytes:
    """Return an .xlsx of texts and numbers."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    sheet = "".join(
        f'<row r="{row}">'
        + "".join(
            f'<c r="{chr(ord("A") + column)}{row}"><v>{row * column}</v></c>'
            if column % 2
            else f'<c r="{chr(ord("A") + column)}{row}" t="inlineStr"><is><t>article {row}</t></is></c>'
            for column in range(columns)
        )
        + "</row>"
        for row in range(1, rows + 1)
    )
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{kind}.worksheet+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships">'
        f'<Relationship Id="r1" Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>'
        '<sheet name="Orders" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">'
        f'<Relationship Id="r1" Type="{office}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{sheet}</sheetData></worksheet>',
    }
    packed = BytesIO()
    with ZipFile(packed, "w", ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return packed.getvalue()
