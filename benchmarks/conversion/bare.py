"""What conversions are measured against: processes that do nothing but transform by saxonche.

A module of its own, because a process that is started anew imports what it runs.
"""

import multiprocessing
import time
from uuid import UUID

from saxonche import PySaxonProcessor


def bare(stylesheet: str, source: str, seconds: float, started: object, go: object, counts: object) -> None:
    """Serve rounds of transformations by saxonche alone: a text in, a text out."""
    processor = PySaxonProcessor(license=False)
    compiler = processor.new_xslt30_processor()
    executable = compiler.compile_stylesheet(stylesheet_text=stylesheet, encoding="utf-8")
    parameters = {name: str(UUID(int=1)) for name in ("SENDER_MAILBOX", "TEMPLATE_UUID", "TEMPLATE_VERSION")}
    for name, value in parameters.items():
        executable.set_parameter(name, processor.make_string_value(value))
    started.put(True)  # type: ignore[attr-defined]
    while go.get():  # type: ignore[attr-defined]
        count, used, end = 0, time.process_time(), time.perf_counter() + seconds
        while time.perf_counter() < end:
            executable.transform_to_string(xdm_node=processor.parse_xml(xml_text=source))
            count += 1
        counts.put((count / seconds, time.process_time() - used))  # type: ignore[attr-defined]


class Bare:
    """As many processes of bare saxonche as asked for."""

    def __init__(self, stylesheet: str, source: str, processes: int, seconds: float) -> None:
        self._seconds = seconds
        context = multiprocessing.get_context("spawn")
        started, self._go, self._counts = context.Queue(), context.Queue(), context.Queue()
        arguments = (stylesheet, source, seconds, started, self._go, self._counts)
        self._processes = [context.Process(target=bare, args=arguments, daemon=True) for _ in range(processes)]
        for process in self._processes:
            process.start()
        for _ in self._processes:
            started.get()

    def rate(self) -> tuple[float, float]:
        """Return the transformations in a second, and the seconds of CPU that a thousand of them took."""
        for _ in self._processes:
            self._go.put(True)
        rates, used = zip(*(self._counts.get() for _ in self._processes), strict=True)
        return sum(rates), sum(used) / sum(rates) / self._seconds * 1000

    def close(self) -> None:
        for _ in self._processes:
            self._go.put(False)
        for process in self._processes:
            process.join()
