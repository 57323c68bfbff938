"""A small OpenID provider: discovery, authorization code with PKCE, signed ID tokens, keys and userinfo, over HTTP."""

import base64
import hashlib
import json
import secrets
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT = "reconciler"
CLIENT_SECRET = "the client's secret"


class OpenIdProvider(ThreadingHTTPServer):
    """Knows one person; a test can have it lie: `claims` and `header` go over what is right, `key` signs."""

    def __init__(self) -> None:
        self.person: dict[str, Any] = {"sub": "u-1", "preferred_username": "ada", "groups": ["edi-support"]}
        self.claims: dict[str, Any] = {}
        self.userinfo: dict[str, Any] = {}
        self.published = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
        self.key = self.published
        self.denies = False
        self.codes: dict[str, dict[str, str]] = {}
        super().__init__(("127.0.0.1", 0), _Request)

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/realms/acme"

    def id_token(self, nonce: str) -> str:
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": nonce, **self.person}
        header = {"alg": "RS256", "kid": self.key.kid}
        return jwt.encode(header, {**claims, **self.claims}, self.key)


class _Request(BaseHTTPRequestHandler):
    server: OpenIdProvider

    def do_GET(self) -> None:
        place = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(place.query).items()}
        base = self.server.issuer
        match place.path.removeprefix("/realms/acme"):
            case "/.well-known/openid-configuration":
                self._answer(
                    {
                        "issuer": base,
                        "authorization_endpoint": f"{base}/authorize",
                        "token_endpoint": f"{base}/token",
                        "jwks_uri": f"{base}/keys",
                        "userinfo_endpoint": f"{base}/userinfo",
                    }
                )
            case "/keys":
                self._answer({"keys": [self.server.published.as_dict(private=False)]})
            case "/userinfo":
                self._answer({"sub": self.server.person["sub"], **self.server.userinfo})
            case "/authorize":
                self._authorize(query)
            case _:
                self._answer({"error": "not_found"}, 404)

    def _authorize(self, query: dict[str, str]) -> None:
        assert query["response_type"] == "code"
        assert query["client_id"] == CLIENT
        assert query["code_challenge_method"] == "S256"
        assert "openid" in query["scope"].split()
        code = secrets.token_urlsafe(16)
        self.server.codes[code] = query
        answer = {"state": query["state"], "code": code, "iss": self.server.issuer}
        if self.server.denies:
            answer = {"state": query["state"], "error": "access_denied", "error_description": "Ada said no"}
        self.send_response(302)
        self.send_header("Location", f"{query['redirect_uri']}?{urlencode(answer)}")
        self.end_headers()

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        user, _, password = base64.b64decode(self.headers.get("Authorization", "")[6:]).decode().partition(":")
        asked = self.server.codes.pop(form["code"][0], None)
        challenge = hashlib.sha256(form["code_verifier"][0].encode()).digest()
        if (
            asked is None
            or (user, password) != (CLIENT, CLIENT_SECRET)
            or asked["code_challenge"] != base64.urlsafe_b64encode(challenge).rstrip(b"=").decode()
            or asked["redirect_uri"] != form["redirect_uri"][0]
        ):
            self._answer({"error": "invalid_grant"}, 400)
            return
        token = self.server.id_token(asked["nonce"])
        self._answer({"access_token": "at", "token_type": "Bearer", "id_token": token})

    def _answer(self, document: dict[str, Any], status: int = 200) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass
