"""Conversions end to end against bare saxonche, Schematron, spreadsheets and the tokenizer, all in one run.

python -m benchmarks.conversion
"""

import statistics
import threading
import time
from collections.abc import Callable
from uuid import UUID

from lxml import etree

from benchmarks.conversion import invoice_rules, materials
from benchmarks.conversion.bare import Bare
from reconciler.conversion.converter import Converter, OutConversion
from reconciler.conversion.rule_file import RuleFile
from reconciler.conversion.sources import to_xml
from reconciler.conversion.validation import schematron
from reconciler.conversion.xslt import Saxon
from reconciler.model.source_file import SourceFile, digest
from reconciler.model.template import TemplateRef

ROUNDS, SECONDS = 7, 1.0
UUIDS = [UUID(int=number) for number in range(1, 4)]


class NoLookups:
    """The maps of the benchmark ask nothing."""

    def dictionary_value(self, dictionary: str, column_of_value: str, value: str, column_to_find: str) -> None: ...
    def dictionary_record(self, dictionary: str, column: str, value: str) -> None: ...
    def mailbox_by_alias(self, alias: str) -> None: ...
    def envelope_by_field(self, template: str, field: str, value: str) -> None: ...


def rate(convert: Callable[[], object], threads: int) -> float:
    """Return how often a second `convert` is done by so many threads."""
    counts = [0] * threads
    end = time.perf_counter() + SECONDS

    def loop(index: int) -> None:
        while time.perf_counter() < end:
            convert()
            counts[index] += 1

    running = [threading.Thread(target=loop, args=(index,)) for index in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return sum(counts) / SECONDS


def end_to_end(name: str, stylesheet: str, payload: bytes, file_name: str, workers: int) -> None:
    contents = {digest(stylesheet.encode()): stylesheet.encode()}
    source = to_xml(payload, file_name=file_name).decode()
    request = OutConversion(
        payload=payload,
        file_name=file_name,
        stylesheet=SourceFile(name="map.xsl", sha256=next(iter(contents))),
        sender_mailbox=UUIDS[0],
        template=TemplateRef(uuid=UUIDS[1], version=UUIDS[2]),
    )
    alone = Bare(stylesheet, source, workers, SECONDS)
    ours, theirs = [], []
    with Converter(contents.__getitem__, workers=workers) as converter:

        def convert() -> None:
            converter.convert_out(request, NoLookups())

        rate(convert, workers)
        alone.rate()
        for _ in range(ROUNDS):
            theirs.append(alone.rate())
            ours.append(rate(convert, workers))
    alone.close()
    ratio = statistics.median(mine / other for mine, other in zip(ours, theirs, strict=True))
    print(
        f"{name:30} {len(payload) / 1000:6.1f} kB  {statistics.median(ours):8.0f}/s"
        f"  bare saxonche {statistics.median(theirs):6.0f}/s  {ratio:5.0%}"
    )


def milliseconds(work: Callable[[], object], times: int) -> float:
    took = []
    for _ in range(times):
        begin = time.perf_counter()
        work()
        took.append((time.perf_counter() - begin) * 1000)
    return statistics.median(took)


def main() -> None:
    for workers in (1, 2):
        plural = "worker" if workers == 1 else "workers"
        end_to_end(f"XML, {workers} {plural}", materials.XML_MAP, materials.xml_order(), "order.xml", workers)
        end_to_end(f"ORDERS, {workers} {plural}", materials.ORDERS_MAP, materials.orders(), "orders.edi", workers)
    rules, invoice = invoice_rules.schema().encode(), etree.ElementTree(etree.fromstring(invoice_rules.invoice()))
    saxon = Saxon(lambda: "")
    begin = time.perf_counter()
    validate = schematron(RuleFile("rules.sch", {"rules.sch": rules}), saxon)
    compiled = (time.perf_counter() - begin) * 1000
    validate(invoice)
    asserts, size = rules.count(b"<assert"), len(invoice_rules.invoice()) / 1000
    print(f"Schematron of {asserts} asserts: compiled in {compiled:.0f} ms", end=", ")
    print(f"then {milliseconds(lambda: validate(invoice), 100):.1f} ms an invoice of {size:.1f} kB")
    workbook = materials.workbook(50_000, 7)
    took = milliseconds(lambda: to_xml(workbook, file_name="orders.xlsx"), 3)
    print(f"Spreadsheet of 50,000 x 7 cells to XML: {took:.0f} ms")
    interchange = materials.orders(50_000)
    took = milliseconds(lambda: to_xml(interchange, file_name="orders.edi"), 3)
    print(f"EDIFACT of {len(interchange) / 1e6:.1f} MB to XML: {len(interchange) / took / 1000:.1f} MB/s")


if __name__ == "__main__":
    main()
