"""Errors as problem details (RFC 9457)."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from reconciler.errors import BlobError, LeaseLostError, NotFoundError, PlanRefusedError, ReconcilerError, RefusedError
from reconciler.web.access import ForbiddenError, TooManyAttemptsError

MEDIA_TYPE = "application/problem+json"

_log = logging.getLogger(__name__)


class Problem(BaseModel):
    """What went wrong: `code` is for programs and stays the same when the wording of `detail` changes."""

    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["There is no envelope 6f2c…"])
    code: str = Field(examples=["not_found"])


class UnauthorizedError(ReconcilerError):
    """Nobody is at work: no token, or none that is valid."""


class HeldError(ReconcilerError):
    """Another has the lease."""


class InvalidError(ReconcilerError):
    """What was sent makes no sense."""


class TooLargeError(ReconcilerError):
    """What was sent is larger than anything that is meant."""


_STATUS: tuple[tuple[type[ReconcilerError], HTTPStatus, str], ...] = (
    (UnauthorizedError, HTTPStatus.UNAUTHORIZED, "unauthorized"),
    (ForbiddenError, HTTPStatus.FORBIDDEN, "forbidden"),
    (TooManyAttemptsError, HTTPStatus.TOO_MANY_REQUESTS, "too_many_attempts"),
    (NotFoundError, HTTPStatus.NOT_FOUND, "not_found"),
    (PlanRefusedError, HTTPStatus.CONFLICT, "plan_refused"),
    (BlobError, HTTPStatus.NOT_FOUND, "payload_missing"),
    (RefusedError, HTTPStatus.CONFLICT, "refused"),
    (HeldError, HTTPStatus.CONFLICT, "held"),
    (LeaseLostError, HTTPStatus.CONFLICT, "lease_lost"),
    (InvalidError, HTTPStatus.UNPROCESSABLE_ENTITY, "invalid"),
    (TooLargeError, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large"),
)


def documented(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """Return what OpenAPI says of the problems that a route answers with; those that every route has are added."""
    everywhere = (
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        HTTPStatus.TOO_MANY_REQUESTS,
    )
    return {
        int(status): {
            "description": status.phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in (*everywhere, *statuses)
    }


def answer(status: int, detail: str, code: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Return a problem as a response."""
    problem = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, code=code)
    return JSONResponse(problem.model_dump(), status, headers, media_type=MEDIA_TYPE)


def status_of(error: ReconcilerError) -> tuple[HTTPStatus, str]:
    """Return the HTTP status and the code of an error; what has none of its own conflicts with how things are."""
    for kind, status, code in _STATUS:
        if isinstance(error, kind):
            return status, code
    return HTTPStatus.CONFLICT, "conflict"


async def _reconciler_error(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, ReconcilerError):
        raise error
    status, code = status_of(error)
    headers = {}
    if status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if status is HTTPStatus.TOO_MANY_REQUESTS:
        headers["Retry-After"] = "300"
    return answer(status, str(error), code, headers)


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    faults = error.errors() if isinstance(error, RequestValidationError) else []
    detail = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in faults)
    return answer(HTTPStatus.UNPROCESSABLE_ENTITY, detail or "The request is not valid.", "invalid")


async def _http_error(_request: Request, error: Exception) -> JSONResponse:
    status = error.status_code if isinstance(error, HTTPException) else HTTPStatus.INTERNAL_SERVER_ERROR
    detail = error.detail if isinstance(error, HTTPException) else ""
    headers = error.headers if isinstance(error, HTTPException) else None
    return answer(status, detail, HTTPStatus(status).name.lower(), headers)


async def _unforeseen(request: Request, error: Exception) -> JSONResponse:
    _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return answer(HTTPStatus.INTERNAL_SERVER_ERROR, "The gateway's log says more.", "internal_error")


def install(app: FastAPI) -> None:
    """Make every error of an application a problem."""
    app.add_exception_handler(ReconcilerError, _reconciler_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unforeseen)
