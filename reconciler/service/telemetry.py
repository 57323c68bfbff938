"""Traces for an OpenTelemetry collector, over OTLP and HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager

from reconciler import __version__
from reconciler.errors import ReconcilerError
from reconciler.store import trace


class Telemetry:
    """Tells a collector of each step; what cannot be told is dropped, and nothing waits for it."""

    def __init__(self, endpoint: str, *, node: str) -> None:
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
            from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
            from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
            from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
        except ImportError as error:
            raise ReconcilerError(
                "gateway.traces needs OpenTelemetry, which is not installed: pip install 'reconciler[traces]'"
            ) from error
        resource = Resource.create(
            {"service.name": "reconciler", "service.version": __version__, "service.instance.id": node}
        )
        self._provider: TracerProvider = TracerProvider(resource=resource)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{endpoint}/v1/traces")))
        self._tracer = self._provider.get_tracer("reconciler", __version__)

    @contextmanager
    def __call__(self, name: str, /, *, parent: str = "", **attributes: str) -> Iterator[None]:
        """Begin a step of the trace that `parent` belongs to, or of a new one."""
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

        propagator = TraceContextTextMapPropagator()
        context = propagator.extract({"traceparent": parent}) if parent else None
        with self._tracer.start_as_current_span(name, context=context, attributes=attributes):
            carrier: dict[str, str] = {}
            propagator.inject(carrier)
            with trace.within(carrier["traceparent"]):
                yield

    def close(self) -> None:
        """Tell what is left to be told."""
        self._provider.shutdown()
