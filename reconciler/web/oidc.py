"""Signing in by OpenID Connect: authorization code (OpenID Connect Core 1.0, section 3.1) with PKCE (RFC 7636)."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any, Literal

import httpx
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from reconciler.desired.operation import OidcGateway
from reconciler.errors import ReconcilerError
from reconciler.model.credential import Secret
from reconciler.store.tokens import Identity, Role

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA"]
"""How an ID token may be signed: by a key that only the provider has. Never `none`, never a shared secret."""

LIFETIME = timedelta(minutes=10)
"""How long somebody has at the provider."""

METADATA_LIFETIME = timedelta(hours=1)
LEEWAY = 60
"""Seconds that clocks may differ."""

TIMEOUT = 10.0


class SignInError(ReconcilerError):
    """Nobody is let in: what the provider says is not what it takes."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """What is remembered, by the browser and encrypted, while somebody is at the provider."""

    state: str
    nonce: str
    verifier: str
    ends: float
    onto: str
    """The path of the page that somebody wanted to see."""

    def to_text(self) -> str:
        """Return it as text."""
        return json.dumps(asdict(self))

    @classmethod
    def of(cls, text: str) -> "Beginning":
        """Read it. Raises SignInError when it is over."""
        found = cls(**json.loads(text))
        if found.ends < datetime.now(UTC).timestamp():
            raise SignInError("Signing in took too long; begin again.")
        return found


class Provider:
    """An OpenID provider, and the roles of the groups that it knows people by."""

    def __init__(
        self,
        settings: OidcGateway,
        secret: Secret | None,
        redirect_uri: str,
        *,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._settings = settings
        self._secret = secret
        self._redirect_uri = redirect_uri
        self._http = httpx.Client(timeout=TIMEOUT, trust_env=False, transport=transport)
        self._lock = Lock()
        self._metadata: Mapping[str, Any] = {}
        self._keys: KeySet | None = None
        self._read_at = datetime.min.replace(tzinfo=UTC)

    def check(self) -> str:
        """Return where people would sign in. Raises SignInError when the provider cannot be asked."""
        return self._endpoint("authorization_endpoint")

    def begin(self, onto: str) -> tuple[str, Beginning]:
        """Return where the browser goes, and what it takes to let it in when it comes back. Raises SignInError."""
        begun = Beginning(
            state=secrets.token_urlsafe(24),
            nonce=secrets.token_urlsafe(24),
            verifier=secrets.token_urlsafe(48),
            ends=(datetime.now(UTC) + LIFETIME).timestamp(),
            onto=onto,
        )
        url = prepare_grant_uri(
            self._endpoint("authorization_endpoint"),
            client_id=self._settings.client_id,
            response_type="code",
            redirect_uri=self._redirect_uri,
            scope=" ".join(self._settings.scopes),
            state=begun.state,
            nonce=begun.nonce,
            code_challenge=create_s256_code_challenge(begun.verifier),
            code_challenge_method="S256",
        )
        return str(url), begun

    def finish(self, begun: Beginning, answer: Mapping[str, str]) -> Identity:
        """Return who came back with the provider's answer. Raises SignInError."""
        if not secrets.compare_digest(answer.get("state", "").encode(), begun.state.encode()):
            raise SignInError("This answer is not to a question of this browser; begin again.")
        if "error" in answer:
            raise SignInError(f"The provider says: {answer.get('error_description') or answer['error']}"[:300])
        if answer.get("iss", self._settings.issuer).rstrip("/") != self._settings.issuer:  # RFC 9207
            raise SignInError("This answer comes from another provider.")
        tokens = self._redeem(answer.get("code", ""), begun.verifier)
        claims = self._claims(tokens, begun.nonce)
        if self._settings.groups_claim not in claims and "userinfo_endpoint" in self._known():
            claims |= self._userinfo(tokens, str(claims["sub"]))
        return self._identity(claims)

    def _identity(self, claims: Mapping[str, Any]) -> Identity:
        found = claims.get(self._settings.groups_claim) or []
        groups = {found} if isinstance(found, str) else {str(group) for group in found}
        name = str(claims.get("preferred_username") or claims.get("email") or claims["sub"])[:200]
        roles = [Role(role) for group, role in self._settings.roles.items() if group in groups]
        if not roles:
            raise SignInError(f"{name} is in no group that has a role here. See gateway.oidc.roles in reconciler.yaml.")
        accounts = {account for group, account in self._settings.accounts.items() if group in groups}
        if len(accounts) > 1:
            raise SignInError(f"{name} is in groups of several accounts: {', '.join(sorted(accounts))}.")
        return Identity(name, max(roles, key=list(Role).index), next(iter(accounts), None))

    # --- the provider --------------------------------------------------------------------------------------------

    def _redeem(self, code: str, verifier: str) -> Mapping[str, Any]:
        """Return the tokens for a code (RFC 6749, section 4.1.3)."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
            "code_verifier": verifier,
        }
        auth: httpx.BasicAuth | None = None
        if self._secret is None:
            form["client_id"] = self._settings.client_id
        elif "client_secret_basic" in self._known().get(
            "token_endpoint_auth_methods_supported", ["client_secret_basic"]
        ):
            auth = httpx.BasicAuth(self._settings.client_id, self._secret.reveal())
        else:
            form |= {"client_id": self._settings.client_id, "client_secret": self._secret.reveal()}
        tokens = self._ask("POST", self._endpoint("token_endpoint"), data=form, auth=auth)
        if "id_token" not in tokens:
            raise SignInError("The provider gave no ID token; is openid among gateway.oidc.scopes?")
        return tokens

    def _claims(self, tokens: Mapping[str, Any], nonce: str) -> dict[str, Any]:
        """Return what the ID token says (OpenID Connect Core 1.0, section 3.1.3.7)."""
        try:
            token = self._decoded(str(tokens["id_token"]))
            claims = CodeIDToken(
                token.claims,
                token.header,
                {
                    "iss": {"essential": True, "value": self._known()["issuer"]},
                    "aud": {"essential": True, "value": self._settings.client_id},
                },
                {
                    "nonce": nonce,
                    "client_id": self._settings.client_id,
                    "access_token": tokens.get("access_token"),
                },
            )
            claims.validate(leeway=LEEWAY)
        except (JoseError, ValueError) as error:
            raise SignInError(f"The provider's ID token is not valid: {error}") from None
        return dict(claims)

    def _decoded(self, id_token: str) -> jwt.Token:
        registry = JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
        try:
            return jwt.decode(id_token, self._key_set(anew=False), registry=registry)
        except InvalidKeyIdError:  # the provider has new keys
            return jwt.decode(id_token, self._key_set(anew=True), registry=registry)

    def _userinfo(self, tokens: Mapping[str, Any], subject: str) -> Mapping[str, Any]:
        headers = {"Authorization": f"Bearer {tokens.get('access_token', '')}"}
        found = self._ask("GET", self._endpoint("userinfo_endpoint"), headers=headers)
        if found.get("sub") != subject:
            raise SignInError("The provider's userinfo is about somebody else.")
        return found

    def _key_set(self, *, anew: bool) -> KeySet:
        if self._keys is None or anew:
            self._keys = KeySet.import_key_set(self._ask("GET", self._endpoint("jwks_uri")))  # type: ignore[arg-type]
        return self._keys

    def _endpoint(
        self, name: Literal["authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri"]
    ) -> str:
        return str(self._known()[name])

    def _known(self) -> Mapping[str, Any]:
        """Return the provider's metadata (OpenID Connect Discovery 1.0), an hour old at the most."""
        with self._lock:
            if datetime.now(UTC) - self._read_at > METADATA_LIFETIME:
                found = self._ask("GET", f"{self._settings.issuer}/.well-known/openid-configuration")
                if str(found.get("issuer", "")).rstrip("/") != self._settings.issuer:
                    raise SignInError(f"The provider calls itself {found.get('issuer')}, not {self._settings.issuer}.")
                missing = {"authorization_endpoint", "token_endpoint", "jwks_uri"} - found.keys()
                if missing:
                    raise SignInError(f"The provider's metadata has no {', '.join(sorted(missing))}.")
                self._metadata, self._keys, self._read_at = found, None, datetime.now(UTC)
            return self._metadata

    def _ask(self, method: str, url: str, **request: Any) -> Mapping[str, Any]:  # noqa: ANN401 - httpx's
        try:
            response = self._http.request(method, url, **request)
            found = response.json()
        except (httpx.HTTPError, ValueError) as error:
            raise SignInError(f"The provider {self._settings.issuer} does not answer: {type(error).__name__}") from None
        if not response.is_success or not isinstance(found, dict):
            said = found.get("error_description") or found.get("error") if isinstance(found, dict) else None
            raise SignInError(f"The provider refuses: {said or f'HTTP {response.status_code}'}"[:300])
        return found
