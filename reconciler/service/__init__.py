"""The wiring: the only place that names adapters."""
