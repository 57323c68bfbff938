"""The hostile set against the default limits: what becomes of each, its seconds, its memory, and how others fare.

python -m benchmarks.conversion.hostile
"""

import struct
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from uuid import UUID

from benchmarks.conversion.__main__ import NoLookups
from reconciler.conversion.converter import Converter, OutConversion
from reconciler.errors import ConversionError
from reconciler.model.source_file import SourceFile, digest
from reconciler.model.template_ref import TemplateRef

CASES = Path(__file__).parents[2] / "tests" / "cases" / "conversion"
COPY = (
    b'<xsl:stylesheet version="3.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"><xsl:template match="/">'
    b'<envelope><xsl:value-of select="."/></envelope></xsl:template></xsl:stylesheet>'
)
SHEET = (
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{}</sheetData></worksheet>'
)


def hostile() -> Iterator[tuple[str, bytes, str, bytes]]:
    """Yield a name, the map, the source's file name and the source."""
    for path in sorted((CASES / "hostile").rglob("*.xsl")):
        yield path.stem, path.read_bytes(), "order.xml", b"<order/>"
    for path in sorted((CASES / "hostile" / "sources").iterdir()):
        yield path.stem, COPY, path.name, path.read_bytes()
    corners = '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    yield "corner-sheet", COPY, "a.xlsx", packed(SHEET.format(corners).encode())
    yield "zip-bomb", COPY, "a.xlsx", packed(b" " * (1 << 30))
    xls = bytearray((CASES / "spreadsheet" / "orders.xls").read_bytes())
    at = xls.index(struct.pack("<HH", 0x0200, 14))
    xls[at + 4 : at + 16] = struct.pack("<IIHH", 0, 1048576, 0, 16384)
    yield "corner-sheet-xls", COPY, "a.xls", bytes(xls)
    yield "edifact-of-one-segment", COPY, "a.edi", b"UNB+UNOC:3+A+B+260101:1200+1'" + b"A+" * (20 << 20)
    yield "csv-of-one-record", COPY, "a.csv", b"a," * (20 << 20)
    yield "json-of-depth", COPY, "a.json", b"[" * (20 << 20)


def packed(sheet: bytes) -> bytes:
    """Return a workbook of one sheet."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", sheet)
    return buffer.getvalue()


class Memory:
    """The largest resident memory of any worker, in bytes."""

    def __init__(self, converter: Converter) -> None:
        self.peak = 0
        self._pids = converter.process_ids
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        while not self._ended.wait(0.005):
            for pid in self._pids():
                with suppress(OSError, IndexError):
                    self.peak = max(self.peak, int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096)

    def close(self) -> None:
        self._ended.set()
        self._thread.join()


def main() -> None:
    contents: dict[str, bytes] = {digest(COPY): COPY}

    def request(stylesheet: bytes, name: str, payload: bytes) -> OutConversion:
        contents[digest(stylesheet)] = stylesheet
        return OutConversion(
            payload=payload,
            file_name=name,
            stylesheet=SourceFile(name="map.xsl", sha256=digest(stylesheet)),
            sender_mailbox=UUID(int=1),
            template=TemplateRef(uuid=UUID(int=2), version=UUID(int=3)),
        )

    good = request(COPY, "order.xml", b"<order>1</order>")
    print(f"{'':28} {'becomes':24} {'seconds':>7} {'MiB':>5} {'others':>8}")
    with Converter(contents.__getitem__, workers=2) as converter:
        converter.convert_out(good, NoLookups())
        for name, stylesheet, file_name, payload in hostile():
            told = ["a result"]
            attack = request(stylesheet, file_name, payload)

            def convert(attack: OutConversion = attack, told: list[str] = told) -> None:
                try:
                    converter.convert_out(attack, NoLookups())
                except ConversionError as error:
                    told[0] = error.code

            memory, began, longest = Memory(converter), time.perf_counter(), 0.0
            thread = threading.Thread(target=convert)
            thread.start()
            while True:
                begin = time.perf_counter()
                converter.convert_out(good, NoLookups())
                longest = max(longest, time.perf_counter() - begin)
                if not thread.is_alive():
                    break
            took = time.perf_counter() - began
            memory.close()
            print(f"{name:28} {told[0]:24} {took:7.2f} {memory.peak >> 20:5} {longest * 1000:5.0f} ms")


if __name__ == "__main__":
    main()
