"""Operating a gateway: its log, its metrics, its health, its traces, while it works."""

import json
import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.acceptance.running_gateway import RunningGateway, await_that
from tests.ports import free_port
from tests.served import served

ORDERS = "accounts.acme.mailboxes.orders"
RULE = f"{ORDERS}.rules.orders-from-edifact"
SAMPLE = "samples/ORDERS_4711.edi"


class Collector(ThreadingHTTPServer):
    """An OpenTelemetry collector that remembers the spans that it is told."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, str, str, str]] = []
        super().__init__(("127.0.0.1", 0), _CollectorRequest)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _CollectorRequest(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        assert self.path == "/v1/traces"
        told = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"])))
        for resource in told.resource_spans:
            for scope in resource.scope_spans:
                self.server.spans += [
                    (span.name, span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
                    for span in scope.spans
                ]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    with served(Collector()) as server:
        yield server


@pytest.fixture
def gateway(tmp_path: Path, collector: Collector) -> Iterator[RunningGateway]:
    """Run one with a listener for metrics and a collector for traces, whose log is JSON."""
    made = RunningGateway(tmp_path / "gateway")
    made.metrics_port = free_port()
    made.edit(
        "reconciler.yaml",
        "  smtp:",
        f"  metrics: {{listen: '127.0.0.1:{made.metrics_port}'}}\n  traces: {{endpoint: '{collector.url}'}}\n  smtp:",
    )
    made.apply()
    made.start("serve", "--log-format", "json")
    yield made
    made.close()


def upload(gateway: RunningGateway, name: str, content: bytes) -> None:
    with gateway.login(ORDERS) as session, session.open(f"coutbox/{name}", "wb") as file:
        file.write(content)


def lines(gateway: RunningGateway) -> list[dict[str, str]]:
    return [json.loads(line) for line in gateway.log.read_text().splitlines()]


def test_one_upload_is_one_trace_in_the_log_and_at_the_collector(gateway: RunningGateway, collector: Collector) -> None:
    upload(gateway, "ORDERS_4711.edi", (gateway.folder / SAMPLE).read_bytes())
    await_that(lambda: any("is delivered" in line["event"] for line in lines(gateway)), "the log tells of the delivery")
    of_upload = [line for line in lines(gateway) if line.get("trace")]
    assert len({line["trace"] for line in of_upload}) == 1
    events = [line["event"].partition(": ")[2] for line in of_upload]
    assert [event[:8] for event in events] == ["received", "ORDERS_4", "envelope"]
    assert len({line["envelope"] for line in of_upload if "envelope" in line}) == 1
    assert gateway.terminate() == 0  # which tells the collector what it was not told yet
    assert [name for name, *_ in collector.spans] == ["sftp upload", "receipt", "arrival"]
    (upload_span, receipt, arrival) = collector.spans
    assert {trace for _, trace, _, _ in collector.spans} == {of_upload[0]["trace"]}
    assert upload_span[3] == ""
    assert (receipt[3], arrival[3]) == (upload_span[2], receipt[2])


def test_metrics_count_what_happens(gateway: RunningGateway) -> None:
    upload(gateway, "ORDERS_4711.edi", (gateway.folder / SAMPLE).read_bytes())
    upload(gateway, "nonsense.xyz", b"nobody's")
    url = f"http://127.0.0.1:{gateway.metrics_port}"

    def metrics() -> str:
        return httpx.get(f"{url}/metrics", trust_env=False, timeout=60).text

    await_that(lambda: 'result="placed"' in metrics() and 'result="FAILED"' in metrics(), "both are counted")
    text = metrics()
    for sample in (
        "reconciler_envelopes_total 1.0",
        f'reconciler_conversions_total{{direction="out",result="PROCESSED",rule="{RULE}"}} 1.0',
        'reconciler_conversions_total{direction="out",result="FAILED",rule=""} 1.0',
        'reconciler_deliveries_total{result="placed"} 1.0',
        'reconciler_sftp_logins_total{result="accepted"} 2.0',
        "reconciler_sftp_sessions_total 2.0",
        'reconciler_check{name="SFTP"} 1.0',
        "reconciler_revision 1.0",
    ):
        assert sample in text
    for name in ("retries", "dead_letters", "queue_jobs", "queue_age_seconds", "as2_dispositions", "condition"):
        assert f"# TYPE reconciler_{name}" in text, name
    assert re.search(r'reconciler_certificate_expires_in_seconds\{address="[^"]+",whose="our own"\} 9\.4\d+e\+07', text)
    # A listener of their own: not beside the pages, where a stranger could ask.
    assert httpx.get(f"http://127.0.0.1:{gateway.http_port}/metrics", trust_env=False, timeout=60).status_code == 404
    assert httpx.get(f"{url}/readyz", trust_env=False, timeout=60).text == "ready\n"
