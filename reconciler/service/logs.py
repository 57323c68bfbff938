"""The gateway's log: lines for people, or JSON for programs, with the trace that each line belongs to."""

import logging
import sys
from typing import Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from reconciler.store import trace

LogFormat = Literal["console", "json"]


def _with_trace(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Add the trace: the same for all that goes back to one upload, on whatever node."""
    if found := trace.current_id():
        event["trace"] = found
    return event


def configure(form: LogFormat, stream: TextIO | None = None) -> None:
    """Have what this process logs written to stderr (or to `stream`): of libraries their warnings, of ours all."""
    stream = stream or sys.stderr
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _with_trace,
    ]
    last: list[Processor]
    match form:
        case "json":
            # A traceback as text: one with the values of variables could show a secret.
            last = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
        case "console":
            plain = structlog.dev.plain_traceback
            last = [structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=plain, pad_event_to=0)]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last]
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("reconciler").setLevel(logging.INFO)
