"""The published description of the admin API, and that the API keeps to it whatever it is asked."""

from collections.abc import Callable
from typing import Any

import httpx
import schemathesis
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from reconciler.store.tokens import Role

PROMISES = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
CASES = settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def test_no_call_breaks_the_api_or_its_promises(as_role: Callable[..., httpx.Client]) -> None:
    api = as_role(Role.ADMIN)
    document = api.get("/openapi.json").json()
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=str(api.base_url).rstrip("/"))
    headers = {"Authorization": api.headers["Authorization"]}
    tried = set()
    for result in schema.get_all_operations():
        assert isinstance(result, Ok)
        operation = result.ok()

        @CASES
        @given(case=operation.as_strategy())
        def hold(case: schemathesis.Case[Any]) -> None:
            case.call_and_validate(checks=PROMISES, headers=headers, timeout=60)

        hold()
        tried.add(operation.label)
    assert len(tried) == sum(len(operations) for operations in document["paths"].values())


def test_it_is_openapi_3_1_and_every_problem_has_its_form(as_role: Callable[..., httpx.Client]) -> None:
    document = as_role(Role.VIEWER).get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    Draft202012Validator.check_schema(document["components"]["schemas"]["Problem"])
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert {"401", "403", "422", "429"} <= operation["responses"].keys(), f"{method} {path}"
            assert "HTTPValidationError" not in str(operation), f"{method} {path}"
