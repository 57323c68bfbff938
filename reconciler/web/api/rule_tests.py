"""The tests of the live rules: what they are run on, what has to come out, and running them."""

from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from reconciler.errors import NotFoundError
from reconciler.jobs.directory import Directory
from reconciler.live.views import RuleTestRun
from reconciler.model.key import Key, Kind
from reconciler.model.rule import Rule, RuleTest
from reconciler.web.access import require_within
from reconciler.web.api.caller import Viewer
from reconciler.web.api.paging import Address
from reconciler.web.api.problems import documented
from reconciler.web.operations import Operations
from reconciler.web.trial import TryOut

TestFile = Literal["input", "expect"]
Part = Annotated[TestFile, Path(description="The sample, or what is expected to come out.")]


class TestItem(BaseModel):
    """A test: the names of its files, or (instead of `expect`) the error that it expects.

    `mailbox` is the one that converts with a rule of an account; null means the account's first by name.
    """

    name: str = Field(examples=["no delivery date"])
    input: str = Field(examples=["ORDERS_4711.edi"])
    mailbox: str | None
    expect: str | None = Field(examples=["order-4711.xml"])
    expect_error: str | None = Field(examples=["field_missing"])


def file_of(test: RuleTest, part: TestFile, directory: Directory) -> bytes:
    """Return a file of a test. Raises NotFoundError when it has none."""
    file = test.input if part == "input" else test.expect
    if file is None:
        raise NotFoundError(f"This test expects no file but the error {test.expect_error}.")
    return directory.content(file.sha256)


def test_of(rule: Rule, name: str) -> RuleTest:
    """Return a rule's test by its name. Raises NotFoundError."""
    found = rule.tests.get(name)
    if found is None:
        known = ", ".join(rule.tests) or "none"
        raise NotFoundError(f"The rule has no test '{name}'; there are: {known}")
    return found


def router(operations: Operations, directory: Directory, try_out: TryOut) -> APIRouter:
    """Return the routes of the tests of rules."""
    routes = APIRouter(prefix="/rules/{address}/tests", tags=["rules"])
    missing = documented(HTTPStatus.NOT_FOUND)

    def rule_at(address: str) -> tuple[Key, Rule]:
        found = operations.one(Kind.RULE, address)
        if not isinstance(found.resource, Rule):
            raise NotFoundError(f"There is no rule {address}.")
        return found.key, found.resource

    @routes.get("", responses=missing)
    def list_rule_tests(address: Address, identity: Viewer) -> list[TestItem]:
        """List the tests that stand beside a rule, in their order."""
        require_within(identity, address)
        _, rule = rule_at(address)
        return [
            TestItem(
                name=name,
                input=test.input.name,
                mailbox=test.mailbox,
                expect=test.expect.name if test.expect else None,
                expect_error=test.expect_error,
            )
            for name, test in rule.tests.items()
        ]

    @routes.post("/run", responses=missing)
    def run_rule_tests(address: Address, identity: Viewer) -> list[RuleTestRun]:
        """Run the tests with the live map; `fault` is empty for those that pass. Nothing is created, sent or logged.

        As in `reconciler test`, maps are answered from the configuration alone: mailboxes have UUIDs that are made of
        their addresses, and there are no envelopes.
        """
        require_within(identity, address)
        key, _ = rule_at(address)
        return list(try_out.tests(key))

    @routes.get(
        "/{part}",
        response_class=Response,
        responses=missing | {200: {"content": {"application/octet-stream": {}}, "description": "The file."}},
    )
    def download_rule_test(
        address: Address,
        part: Part,
        name: Annotated[str, Query(max_length=300, description="The test's name.", examples=["no delivery date"])],
        identity: Viewer,
    ) -> Response:
        """Return a file of a test, byte for byte: its input, or what is expected to come out."""
        require_within(identity, address)
        _, rule = rule_at(address)
        content = file_of(test_of(rule, name), part, directory)
        return Response(content, media_type="application/octet-stream")

    return routes
