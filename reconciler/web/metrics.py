"""Metrics for Prometheus: what this process counted, and what the store says at the moment of the question."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from reconciler.live.at_hand import AtHand
from reconciler.live.status import CertificateEnd
from reconciler.model.credential import Secret
from reconciler.store import conditions, configuration, jobs
from reconciler.store.database import Store
from reconciler.web.access import Access, TooManyAttemptsError
from reconciler.web.health import Health

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class GatewayCollector(Collector):
    """Answers for the store and the listeners; `ends` are those of the certificates."""

    def __init__(
        self,
        store: Store,
        health: Health,
        *,
        connections: Callable[[], int],
        ends: AtHand[Sequence[CertificateEnd]],
    ) -> None:
        self._store = store
        self._health = health
        self._connections = connections
        self._ends = ends

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the gauges."""
        now = datetime.now(UTC)
        yield GaugeMetricFamily("reconciler_sftp_connections", "SFTP connections now.", self._connections())
        ready = GaugeMetricFamily("reconciler_check", "Whether what the gateway needs works (1).", labels=["name"])
        for check in self._health.look():
            ready.add_metric([check.name], 0 if check.fault else 1)
        yield ready
        with self._store.read() as connection:
            revision = configuration.current_revision(connection)
            counts, waiting = jobs.counts(connection), jobs.oldest_ready(connection)
            found = conditions.all_of(connection)
        yield GaugeMetricFamily("reconciler_revision", "The newest applied revision.", revision)
        queue = GaugeMetricFamily("reconciler_queue_jobs", "Jobs that are not done.", labels=["kind", "state"])
        for (kind, state), number in counts.items():
            queue.add_metric([kind, state], number)
        yield queue
        age = GaugeMetricFamily(
            "reconciler_queue_age_seconds", "For how long the oldest job has been ready.", labels=["kind"]
        )
        for kind, since in waiting.items():
            age.add_metric([kind], max(0.0, (now - since).total_seconds()))
        yield age
        condition = GaugeMetricFamily(
            "reconciler_condition", "Whether a condition of reconciling holds (1).", labels=["account", "type"]
        )
        for item in found:
            condition.add_metric([item.scope, item.type], float(item.status))
        yield condition
        lasts = GaugeMetricFamily(
            "reconciler_certificate_expires_in_seconds",
            "Seconds until a certificate ends; below zero it has ended.",
            labels=["address", "whose"],
        )
        for end in self._ends.now():
            lasts.add_metric([end.address, end.whose], (end.at - now).total_seconds())
        yield lasts


def metrics_text(collector: Collector) -> bytes:
    """Return all metrics in Prometheus's text format."""
    own = CollectorRegistry(auto_describe=False)
    own.register(collector)
    return generate_latest(REGISTRY) + generate_latest(own)


def open_route(collector: Collector) -> Route:
    """Return `/metrics` for a listener of its own, which everyone who reaches it may read."""

    async def metrics(_request: Request) -> Response:
        return Response(await run_in_threadpool(metrics_text, collector), media_type=MEDIA_TYPE)

    return Route("/metrics", metrics)


def guarded_route(collector: Collector, access: Access) -> Route:
    """Return `/metrics` beside the pages: it takes a token (of any role that is not limited to one account)."""

    async def metrics(request: Request) -> Response:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        peer = request.client.host if request.client else ""
        try:
            given = scheme.lower() == "bearer"
            identity = await run_in_threadpool(access.by_token, Secret(token.strip()), peer) if given else None
        except TooManyAttemptsError as error:
            return PlainTextResponse(f"{error}\n", 429)
        if identity is None or identity.account is not None:
            return PlainTextResponse("A viewer's token is needed.\n", 401, {"WWW-Authenticate": "Bearer"})
        return Response(await run_in_threadpool(metrics_text, collector), media_type=MEDIA_TYPE)

    return Route("/metrics", metrics)
