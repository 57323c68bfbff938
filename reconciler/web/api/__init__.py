"""The admin API: FastAPI, OpenAPI 3.1, errors as problem details (RFC 9457)."""
