"""No secret reaches the log: every door is fed with marked ones, also where what they meet is broken."""

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import paramiko
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from cryptography.fernet import Fernet

from reconciler.cli.demo.stage import MailSink
from reconciler.store import credentials
from tests.acceptance.running_gateway import RunningGateway, await_that
from tests.acceptance.web.openid_provider import CLIENT, OpenIdProvider
from tests.served import served

ORDERS = "accounts.acme.mailboxes.orders"
MARK = "MARKED-c0ffee"
KEY = Fernet.generate_key().decode()

ADDITIONS = """
  smtp: {{url: "smtp://gateway@127.0.0.1:{smtp}", from: "gateway@edi.example", password: {{secret: "env:SMTP"}}}}
  oidc:
    issuer: {issuer}
    client_id: {client}
    client_secret: {{secret: "env:OIDC"}}
    roles: {{edi-support: operator}}
alerts: {{urls: [{{secret: "env:ALERT"}}]}}
"""


@pytest.fixture
def provider() -> Iterator[OpenIdProvider]:
    with served(OpenIdProvider()) as running:
        yield running


@pytest.fixture
def gateway(tmp_path: Path, provider: OpenIdProvider, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningGateway]:
    """Run one whose every secret is marked, or known."""
    monkeypatch.setenv("RECONCILER_KEY", KEY)
    environment = {
        "SMTP": f"{MARK}-smtp",
        "OIDC": f"{MARK}-oidc",
        "ALERT": f"json://someone:{MARK}-alert@127.0.0.1:9/",
        "RECONCILER_KEY": KEY,
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    made = RunningGateway(tmp_path / "gateway", environment)
    path = made.folder / "reconciler.yaml"
    lines = [line for line in path.read_text().splitlines() if not line.startswith("  smtp:")]
    additions = ADDITIONS.format(smtp=made.smtp_port, issuer=provider.issuer, client=CLIENT)
    path.write_text("\n".join(lines) + additions)
    made.apply()
    made.start("serve", "--log-format", "json")
    yield made
    made.close()


def refuse(*_: object) -> AuthResult:
    return AuthResult(success=False, handled=False)


@pytest.fixture
def refusing_mail_server(gateway: RunningGateway) -> Iterator[None]:
    server = Controller(
        MailSink(),
        hostname="127.0.0.1",
        port=gateway.smtp_port,
        authenticator=refuse,
        auth_require_tls=False,  # on loopback, and refused anyway
    )
    server.start()
    yield
    server.stop()


@pytest.mark.filterwarnings("ignore:Requiring AUTH:UserWarning")
def test_they_do_not(gateway: RunningGateway, refusing_mail_server: None) -> None:
    known = {MARK, KEY, gateway.credential(ORDERS, "password")}
    with gateway.workspace.store.read() as connection:
        for row in credentials.all_of(connection):
            secret = gateway.workspace.store.keyring.decrypt(row.ciphertext).reveal()
            known |= {line for line in secret.splitlines() if len(line) > 15 and "PRIVATE KEY" not in line}
    token = gateway.command("token", "create", "--role", "admin").stdout.strip()
    known.add(token)
    feed_sftp(gateway)
    known |= feed_pages_and_api(gateway, token)
    await_that(lambda: "mail <" in gateway.log.read_text(), "the mail server refused the password")
    break_the_store(gateway)
    known |= feed_pages_and_api(gateway, token, expected=500)
    log = gateway.log.read_text()
    assert "login refused" in log
    assert "Traceback" in log  # what nobody foresaw was logged as well
    assert [secret for secret in known if secret in log] == []


def feed_sftp(gateway: RunningGateway) -> None:
    with gateway.login(ORDERS) as session, session.open("coutbox/nonsense.xyz", "wb") as file:
        file.write(b"nobody's, which makes a mail")
    for name, password in ((gateway.credential(ORDERS, "login"), f"{MARK}-password"), (f"{MARK}-login", "x")):
        transport = paramiko.Transport(("127.0.0.1", gateway.sftp_port))
        transport.start_client()
        with pytest.raises(paramiko.AuthenticationException):
            transport.auth_password(name, password)
        transport.close()


def feed_pages_and_api(gateway: RunningGateway, token: str, *, expected: int = 200) -> set[str]:
    """Ask with right tokens and wrong ones; return the secrets that were made meanwhile."""
    made = set()
    base = f"http://127.0.0.1:{gateway.http_port}"
    right = {"Authorization": f"Bearer {token}"}
    strange = {"AS2-From": "a", "AS2-To": "b", "Authorization": f"Basic {MARK}-as2"}
    with suppress(httpx.TransportError):  # it is refused before its body is read
        httpx.post(f"{base}/as2", content=b"x", headers=strange, trust_env=False, timeout=60)
    # A connection on which something broke is not used again.
    limits = httpx.Limits(max_keepalive_connections=0)
    with httpx.Client(base_url=base, trust_env=False, timeout=30, limits=limits) as client:
        client.get("/api/v1/accounts", headers={"Authorization": f"Bearer {MARK}-token"})
        client.get("/integrations", headers={"Cookie": f"__Host-reconciler={MARK}-session"})
        client.post("/sign-in", data={"token": f"{MARK}-token"})
        client.get(f"/metrics?token={MARK}-query", headers={"Authorization": f"Basic {MARK}-basic"})
        answer = client.get(f"/api/v1/credentials/{ORDERS}", headers=right)
        assert answer.status_code == expected
        signed_in = client.post("/sign-in", data={"token": token})
        if signed_in.status_code == 303:
            made.add(signed_in.headers["set-cookie"].partition("=")[2].partition(";")[0])
        client.post("/api/v1/apply", headers=right, json={"plan": {"secret": f"{MARK}-plan"}})
        client.post("/api/v1/tokens", headers=right, json={"name": f"{MARK}", "role": MARK, "lifetime": -1})
        begun = client.get("/sign-in/oidc")
        if begun.status_code == 303:
            back = client.get(begun.headers["location"]).headers["location"]
            cookie = begun.headers["set-cookie"].partition(";")[0]
            made.add(cookie.partition("=")[2])
            # The provider does not know this client's secret, so it refuses.
            refused = client.get(back, headers={"Cookie": cookie})
            assert ("refuses" in refused.text) if expected == 200 else (refused.status_code == 500)
    return made


def break_the_store(gateway: RunningGateway) -> None:
    """Have every question for a token, a session or a password end as nobody foresaw."""
    with sqlite3.connect(gateway.folder / ".reconciler" / "state.db") as connection:
        for table in ("token", "session", "audit"):
            connection.execute(f"ALTER TABLE {table} RENAME TO {table}_away")
