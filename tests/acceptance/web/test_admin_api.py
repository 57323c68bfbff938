"""The admin API as programs see it."""

from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256 as sha256_of
from http.client import HTTPConnection
from uuid import uuid4

import httpx
import pytest

from reconciler.service.workspace import Workspace
from reconciler.store import audit
from reconciler.store.tokens import Role

ORDERS = "accounts.acme.mailboxes.orders"

As = Callable[..., httpx.Client]


class TestTokens:
    def test_without_one_there_is_nothing(self, api: httpx.Client) -> None:
        for path in ("/accounts", "/openapi.json", "/health", "/log"):
            response = api.get(path)
            assert response.status_code == 401
            assert response.headers["content-type"] == "application/problem+json"
            assert response.headers["www-authenticate"] == "Bearer"
            assert response.json()["code"] == "unauthorized"

    def test_an_expired_one_opens_nothing(self, api: httpx.Client, make_token: Callable[..., str]) -> None:
        token = make_token(Role.ADMIN, lifetime=timedelta(seconds=-1))
        assert api.get("/accounts", headers={"Authorization": f"Bearer {token}"}).status_code == 401

    def test_guessing_ends_soon(self, api: httpx.Client) -> None:
        answers = [api.get("/accounts", headers={"Authorization": "Bearer guess"}).status_code for _ in range(12)]
        assert answers == [401] * 10 + [429] * 2

    @pytest.mark.parametrize(("role", "status"), [(Role.VIEWER, 403), (Role.OPERATOR, 200), (Role.ADMIN, 200)])
    def test_secrets_take_an_operator(self, as_role: As, role: Role, status: int) -> None:
        assert as_role(role).get(f"/credentials/{ORDERS}").status_code == status

    def test_one_for_an_account_reaches_no_other(self, as_role: As) -> None:
        api = as_role(Role.ADMIN, "globex")
        assert {item["address"] for item in api.get("/accounts").json()["items"]} == {"accounts.globex"}
        for path in (f"/mailboxes/{ORDERS}", f"/credentials/{ORDERS}", "/log?account=acme", "/revisions"):
            assert api.get(path).status_code == 403, path

    def test_each_call_is_recorded(self, as_role: As, workspace: Workspace) -> None:
        as_role(Role.VIEWER).get("/accounts/accounts.nobody")
        with workspace.store.read() as connection:
            (call,) = audit.newest(connection, 10)
        assert call.actor == "viewer-1"
        assert (call.what, call.status) == ("GET /api/v1/accounts/accounts.nobody", 404)


class TestResources:
    def test_lists_are_pages(self, as_role: As) -> None:
        api = as_role(Role.VIEWER)
        first = api.get("/mailboxes?limit=1").json()
        assert (len(first["items"]), first["next_offset"]) == (1, 1)
        everything = api.get("/mailboxes").json()
        assert everything["next_offset"] is None
        assert everything["items"][0] == first["items"][0]
        assert everything["items"][0]["uuid"]

    def test_every_kind_is_there(self, as_role: As) -> None:
        api = as_role(Role.VIEWER)
        for plural in ("accounts", "mailboxes", "integrations", "rules", "templates", "dictionaries"):
            item = api.get(f"/{plural}").json()["items"][0]
            assert api.get(f"/{plural}/{item['address']}").json() == item

    def test_a_file_is_given_to_who_may_read_what_names_it(self, as_role: As) -> None:
        api = as_role(Role.VIEWER, "globex")
        rule = next(item for item in api.get("/rules").json()["items"] if item["resource"]["convert"])
        sha256 = rule["resource"]["convert"]["sha256"]
        response = api.get(f"/files/{rule['address']}/{sha256}")
        assert response.status_code == 200
        assert sha256_of(response.content).hexdigest() == sha256
        for path, status in (
            (f"/files/{rule['address']}/{'0' * 64}", 404),
            (f"/files/{rule['address'].rpartition('.rules.')[0]}/{sha256}", 404),
            (f"/files/{rule['address']}/none", 422),
            (f"/files/accounts.acme.templates.order/{sha256}", 403),
        ):
            assert api.get(path).status_code == status, path

    def test_a_password_is_shown_and_replaced(self, as_role: As) -> None:
        api = as_role(Role.OPERATOR)
        before = api.get(f"/credentials/{ORDERS}").json()["values"]
        rotated = api.post(f"/credentials/{ORDERS}/rotate").json()
        assert rotated["generated"] == [f"{ORDERS}.integration.credentials.password"]
        after = api.get(f"/credentials/{ORDERS}").json()["values"]
        assert before.pop("password") != after.pop("password")
        assert before == after


class TestRefusals:
    def test_what_is_not_there(self, as_role: As) -> None:
        api = as_role(Role.VIEWER)
        for path in ("/mailboxes/accounts.x.mailboxes.y", f"/envelopes/{uuid4()}", f"/log/{uuid4()}/input"):
            response = api.get(path)
            assert (response.status_code, response.json()["code"]) == (404, "not_found"), path

    def test_what_makes_no_sense(self, as_role: As) -> None:
        response = as_role(Role.VIEWER).get("/log?limit=0&status=BROKEN")
        assert response.status_code == 422
        assert "limit" in response.json()["detail"]

    def test_a_body_that_says_it_is_huge(self, as_role: As) -> None:
        api = as_role(Role.OPERATOR)
        connection = HTTPConnection(api.base_url.host, api.base_url.port)
        connection.putrequest("POST", f"/api/v1/envelopes?mailbox={ORDERS}")
        connection.putheader("Content-Length", str(10**12))
        connection.endheaders()
        assert connection.getresponse().status == 413
        connection.close()


def test_health_says_what_is_wrong(as_role: As, workspace: Workspace) -> None:
    api = as_role(Role.VIEWER)
    assert api.get("/health").json()["ready"] is True
    workspace.store.blobs.spool_folder.rmdir()
    report = api.get("/health").json()
    assert report["ready"] is False
    assert {check["name"] for check in report["checks"] if check["fault"]} == {"payloads"}
