"""The one who calls: a bearer token (RFC 6750) in, an identity out."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from reconciler.model.credential import Secret
from reconciler.store.tokens import Identity, Role
from reconciler.web.access import Access, require
from reconciler.web.api.problems import UnauthorizedError

_BEARER = HTTPBearer(auto_error=False, description="A token, made by `reconciler token create`.")


def _identity(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]
) -> Identity:
    access: Access = request.app.state.access
    peer = request.client.host if request.client else ""
    found = access.by_token(Secret(credentials.credentials), peer) if credentials else None
    if found is None:
        raise UnauthorizedError("A valid token is needed: Authorization: Bearer …")
    request.state.actor = found.actor
    return found


def _at_least(role: Role) -> Callable[[Identity], Identity]:
    def checked(identity: Annotated[Identity, Depends(_identity)]) -> Identity:
        require(identity, role)
        return identity

    return checked


Viewer = Annotated[Identity, Depends(_at_least(Role.VIEWER))]
Operator = Annotated[Identity, Depends(_at_least(Role.OPERATOR))]
Admin = Annotated[Identity, Depends(_at_least(Role.ADMIN))]
