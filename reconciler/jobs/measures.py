"""What this process counts of its work; Prometheus adds up the processes."""

from prometheus_client import Counter, Histogram

CONVERSIONS = Counter(
    "reconciler_conversions", "Conversions by rule, direction and result.", ["rule", "direction", "result"]
)
ENVELOPES = Counter("reconciler_envelopes", "Envelopes that were sent.")
DELIVERIES = Counter("reconciler_deliveries", "Files and messages for partners, by what became of them.", ["result"])
RETRIES = Counter("reconciler_retries", "Attempts that failed and will be repeated.", ["kind"])
DEAD_LETTERS = Counter("reconciler_dead_letters", "Jobs that were given up.", ["kind"])
JOB_SECONDS = Histogram("reconciler_job_seconds", "How long an attempt at a job took.", ["kind"])
DISPOSITIONS = Counter(
    "reconciler_as2_dispositions",
    "What became of AS2 messages, partners' (in) and ours (out).",
    ["direction", "outcome"],
)


def count_conversion(rule: str | None, direction: str, result: str) -> None:
    """Count a conversion; without a rule none matched."""
    CONVERSIONS.labels(rule or "", direction, result).inc()
