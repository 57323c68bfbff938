"""People sign in by OpenID Connect, and nobody does whom the provider does not vouch for."""

from collections.abc import Iterator
from http.cookies import SimpleCookie

import httpx
import pytest
from joserfc.jwk import RSAKey

from reconciler.desired.operation import OidcGateway
from reconciler.service.workspace import Workspace
from reconciler.store import audit
from tests.acceptance.web.openid_provider import CLIENT, OpenIdProvider
from tests.admin_site import serving
from tests.ports import free_port
from tests.served import served

SESSION, BEGUN = "__Host-reconciler", "__Host-reconciler-oidc"


@pytest.fixture
def provider() -> Iterator[OpenIdProvider]:
    with served(OpenIdProvider()) as running:
        yield running


@pytest.fixture
def site(workspace: Workspace, provider: OpenIdProvider) -> Iterator[str]:
    settings = OidcGateway(
        issuer=provider.issuer,
        client_id=CLIENT,
        roles={"edi-support": "operator", "edi-admins": "admin", "acme-staff": "viewer"},
        accounts={"acme-staff": "acme", "globex-staff": "globex"},
    )
    with serving(workspace, oidc=settings, port=free_port()) as url:
        yield url


class Browser:
    """Follows no redirect by itself, and keeps Secure cookies on loopback as browsers do."""

    def __init__(self, site: str) -> None:
        self.site = site
        self.cookies: dict[str, str] = {}
        self.attributes: dict[str, str] = {}

    def get(self, url: str) -> httpx.Response:
        own = url.startswith(("/", self.site))
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())} if own else {}
        full = f"{self.site}{url}" if url.startswith("/") else url
        response = httpx.get(full, headers=headers, trust_env=False, timeout=60)
        for line in response.headers.get_list("set-cookie"):
            for name, morsel in SimpleCookie(line).items():
                self.cookies[name] = morsel.value
                self.attributes[name] = line
        return response

    def sign_in(self, query: str = "") -> httpx.Response:
        """Go to the provider and come back."""
        to_provider = self.get(f"/sign-in/oidc{query}")
        assert to_provider.status_code == 303, to_provider.text
        back = self.get(to_provider.headers["location"])
        return self.get(back.headers["location"])


@pytest.fixture
def browser(site: str) -> Browser:
    return Browser(site)


def refused(response: httpx.Response) -> str:
    assert response.status_code == 401
    assert SESSION not in response.headers.get("set-cookie", "")
    return response.text


class TestLettingIn:
    def test_by_the_group(self, browser: Browser, workspace: Workspace) -> None:
        assert "Sign in with your organisation" in browser.get("/sign-in").text
        response = browser.sign_in()
        assert (response.status_code, response.headers["location"]) == (303, "/integrations")
        assert browser.sign_in("?next=/log%3Fstatus=FAILED").headers["location"] == "/log?status=FAILED"
        assert browser.sign_in("?next=https://evil.example").headers["location"] == "/integrations"
        for word in ("HttpOnly", "Secure", "SameSite=lax", "Path=/"):
            assert word in browser.attributes[SESSION]
        page = browser.get("/integrations").text
        assert "operator</span> ada" in page
        with workspace.store.read() as connection:
            (call, *_) = audit.newest(connection, 1)
        assert (call.actor, call.what, call.status) == ("ada", "sign in by OpenID Connect", 303)

    def test_the_highest_of_several_roles_counts(self, browser: Browser, provider: OpenIdProvider) -> None:
        provider.person["groups"] = ["edi-admins", "edi-support", "others"]
        browser.sign_in()
        assert "admin</span> ada" in browser.get("/integrations").text

    def test_to_one_account(self, browser: Browser, provider: OpenIdProvider) -> None:
        provider.person["groups"] = ["acme-staff"]
        browser.sign_in()
        assert "globex" not in browser.get("/integrations").text.lower()

    def test_by_groups_that_only_the_userinfo_tells(self, browser: Browser, provider: OpenIdProvider) -> None:
        provider.userinfo = {"groups": provider.person.pop("groups")}
        assert browser.sign_in().headers["location"] == "/integrations"

    def test_with_keys_that_are_new(self, browser: Browser, provider: OpenIdProvider) -> None:
        browser.sign_in()
        provider.published = provider.key = RSAKey.generate_key(2048, {"kid": "two", "use": "sig"})
        assert browser.sign_in().headers["location"] == "/integrations"


class TestKeepingOut:
    def test_who_is_in_no_group(self, browser: Browser, provider: OpenIdProvider) -> None:
        provider.person["groups"] = ["others"]
        assert "ada is in no group that has a role here" in refused(browser.sign_in())

    def test_who_is_in_groups_of_two_accounts(self, browser: Browser, provider: OpenIdProvider) -> None:
        provider.person["groups"] = ["acme-staff", "globex-staff"]
        assert "several accounts: acme, globex" in refused(browser.sign_in())

    @pytest.mark.parametrize(
        "claims",
        [{"aud": "another"}, {"iss": "https://evil.example"}, {"nonce": "replayed"}, {"exp": 1000}, {"azp": "another"}],
        ids=lambda claims: next(iter(claims)),
    )
    def test_an_id_token_for_another(self, browser: Browser, provider: OpenIdProvider, claims: dict[str, str]) -> None:
        provider.claims = claims
        assert "ID token is not valid" in refused(browser.sign_in())

    def test_an_id_token_by_another_key(self, browser: Browser, provider: OpenIdProvider) -> None:
        provider.key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
        assert "ID token is not valid" in refused(browser.sign_in())

    def test_userinfo_about_another(self, browser: Browser, provider: OpenIdProvider) -> None:
        provider.userinfo = {"groups": provider.person.pop("groups"), "sub": "u-2"}
        assert "somebody else" in refused(browser.sign_in())

    def test_who_did_not_begin(self, browser: Browser) -> None:
        assert "did not begin" in refused(browser.get("/sign-in/oidc/done?code=x&state=y"))

    def test_an_answer_to_another_question(self, browser: Browser) -> None:
        stolen = browser.get(browser.get("/sign-in/oidc").headers["location"]).headers["location"]
        browser.get("/sign-in/oidc")  # the victim's own question
        assert "not to a question of this browser" in refused(browser.get(stolen))

    def test_a_code_that_was_used(self, browser: Browser) -> None:
        back = browser.get(browser.get("/sign-in/oidc").headers["location"]).headers["location"]
        begun = browser.cookies[BEGUN]
        browser.get(back)
        browser.cookies[BEGUN] = begun
        assert "invalid_grant" in refused(browser.get(back))

    def test_who_said_no(self, browser: Browser, provider: OpenIdProvider) -> None:
        provider.denies = True
        assert "Ada said no" in refused(browser.sign_in())

    def test_who_tries_too_often(self, browser: Browser) -> None:
        answers = [browser.get("/sign-in/oidc/done").status_code for _ in range(12)]
        assert answers == [401] * 10 + [429] * 2


def test_a_provider_that_does_not_answer(workspace: Workspace) -> None:
    issuer = f"http://127.0.0.1:{free_port()}"
    settings = OidcGateway(issuer=issuer, client_id=CLIENT, roles={"a": "viewer"})
    with serving(workspace, oidc=settings) as url:
        response = httpx.get(f"{url}/sign-in/oidc", trust_env=False, timeout=60)
    assert response.status_code == 502
    assert f"{issuer} does not answer" in response.text
