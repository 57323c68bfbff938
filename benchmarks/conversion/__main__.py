"""Conversions end to end against bare saxonche, Schematron, spreadsheets and the tokenizer, all in one run.

python -m benchmarks.conversion
"""

import os
import resource
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
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
from reconciler.model.template_ref import TemplateRef
from reconciler.service.gateway import CONVERSION_THREADS, CONVERSION_WORKERS

ROUNDS, SECONDS = 7, 1.0
THREADS = CONVERSION_THREADS // CONVERSION_WORKERS
"""Threads that wait for each worker, as many as the gateway has."""
UUIDS = [UUID(int=number) for number in range(1, 4)]


class NoLookups:
    """The maps of the benchmark ask nothing."""

    def dictionary_value(self, dictionary: str, column_of_value: str, value: str, column_to_find: str) -> None: ...
    def dictionary_record(self, dictionary: str, column: str, value: str) -> None: ...
    def mailbox_by_alias(self, alias: str) -> None: ...
    def envelope_by_field(self, template: str, field: str, value: str) -> None: ...


def rate(convert: Callable[[], object], threads: int, used: Callable[[], float]) -> tuple[float, float]:
    """Return how often a second so many threads do it, and the seconds of CPU that a thousand times took."""
    counts, begin = [0] * threads, used()
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
    return sum(counts) / SECONDS, (used() - begin) / sum(counts) * 1000


def cpu(pids: Sequence[int]) -> float:
    """Return the seconds of CPU that this process, those that it ended and those of these numbers have used."""
    ticks = sum(sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13])) for pid in pids)
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime + ticks / os.sysconf("SC_CLK_TCK")


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

        def used() -> float:
            return cpu(converter.process_ids())

        threads = workers * THREADS
        rate(convert, threads, used)
        alone.rate()
        for _ in range(ROUNDS):
            theirs.append(alone.rate())
            ours.append(rate(convert, threads, used))
    alone.close()
    (mine, my_cpu), (others, other_cpu) = (map(statistics.median, zip(*all_, strict=True)) for all_ in (ours, theirs))
    ratio = statistics.median(a / b for (a, _), (b, _) in zip(ours, theirs, strict=True))
    print(
        f"{name:18} {len(payload) / 1000:5.1f} kB {mine:6.0f}/s  bare saxonche {others:6.0f}/s  {ratio:4.0%}"
        f"   CPU {my_cpu:.2f} ms, bare {other_cpu:.2f} ms  {other_cpu / my_cpu:4.0%}"
    )


def milliseconds(work: Callable[[], object], times: int) -> float:
    """Return the median of the processor time that it takes, which other work on the machine hardly changes."""
    took = []
    for _ in range(times):
        begin = time.process_time()
        work()
        took.append((time.process_time() - begin) * 1000)
    return statistics.median(took)


def main() -> None:
    for workers in (1, 2):
        plural = "worker" if workers == 1 else "workers"
        end_to_end(f"XML, {workers} {plural}", materials.xml_map(), materials.xml_order(), "order.xml", workers)
        end_to_end(f"ORDERS, {workers} {plural}", materials.ORDERS_MAP, materials.orders(), "orders.edi", workers)
    rules, invoice = invoice_rules.schema().encode(), etree.ElementTree(etree.fromstring(invoice_rules.invoice()))
    saxon = Saxon(lambda: "")
    begin = time.process_time()
    validate = schematron(RuleFile("rules.sch", {"rules.sch": rules}), saxon)
    compiled = (time.process_time() - begin) * 1000
    validate(invoice)
    asserts, size = rules.count(b"<assert"), len(invoice_rules.invoice()) / 1000
    print("Processor time:")
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
