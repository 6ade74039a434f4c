"""Errors as problem documents (RFC 9457), each with its status."""

import logging
import math
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from ounce_schemas.errors import ArtifactError, BrokerError, OunceError, PolicyError
from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from ounce_services.cluster.admin import AbsentTopicError
from ounce_services.control.console.pages import error_page
from ounce_services.control.errors import (
    ForbiddenError,
    NotFoundError,
    PreconditionError,
    ProviderAwayError,
    RefusedError,
    StaleError,
    TooManyError,
    UnauthorizedError,
)
from ounce_services.control.store.database import AWAY, why

_log = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"
STATUSES: dict[type[OunceError], tuple[int, str]] = {
    UnauthorizedError: (401, "Who asks?"),
    ForbiddenError: (403, "Not permitted"),
    NotFoundError: (404, "Not found"),
    StaleError: (412, "Changed meanwhile"),
    RefusedError: (422, "Refused"),
    PreconditionError: (428, "Which version?"),
    TooManyError: (429, "Too many calls"),
    PolicyError: (422, "Refused"),
    ArtifactError: (422, "Refused"),
    ProviderAwayError: (503, "Provider is away"),
    AbsentTopicError: (404, "Not found"),
    BrokerError: (503, "Kafka is away"),
}


_OF_THE_SERVER = {
    400: "the body is no JSON in UTF-8",
    404: "there is no such call: /v1/openapi.json lists all",
    405: "there is no such call with this method: /v1/openapi.json lists all",
}
_OF_PAGES = {
    400: "the form can't be read",
    404: "there is no page at this address",
    405: "this page can't be asked for like that: open it from the menu",
}


class Problem(BaseModel):
    """Why a call was not done."""

    title: str
    status: int
    detail: str
    findings: list[str] = []


RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": title, "content": {MEDIA_TYPE: {}}}
    for status, title in [
        *STATUSES.values(),
        (400, "Not understood"),
        (408, "Too slow"),
        (413, "Too large"),
    ]
}


def status_of(error: OunceError) -> tuple[int, str]:
    """Status and title of an error."""
    for kind in type(error).__mro__:
        if kind in STATUSES:
            return STATUSES[kind]
    return 409, "Not done"


def problem(status: int, title: str, detail: str, findings: tuple[str, ...] = ()) -> JSONResponse:
    """The response."""
    content = Problem(title=title, status=status, detail=detail, findings=list(findings))
    return JSONResponse(content.model_dump(), status, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Answer every error: calls with a problem, pages with a page."""

    @app.exception_handler(OunceError)
    def _ours(request: Request, error: OunceError) -> Response:
        status, title = status_of(error)
        if not _is_call(request):
            return error_page(request, error, status, title)
        findings = error.findings if isinstance(error, RefusedError) else ()
        response = problem(status, title, str(error), findings)
        if isinstance(error, TooManyError):
            response.headers["Retry-After"] = str(math.ceil(error.wait_s))
        if isinstance(error, UnauthorizedError):
            response.headers["WWW-Authenticate"] = 'Bearer realm="ounce"'
        return response

    @app.exception_handler(RequestValidationError)
    def _not_understood(request: Request, error: RequestValidationError) -> Response:
        lines = tuple(map(_line, error.errors()))
        if not _is_call(request):
            return error_page(request, RefusedError("; ".join(lines)), 422, "Not understood")
        if "body" in {e["loc"][0] for e in error.errors()} and not _is_json(request):
            lines = ("header: send Content-Type: application/json", *lines)
        return problem(422, "Not understood", "the call is not as documented", lines)

    @app.exception_handler(HTTPException)
    def _of_the_server(request: Request, error: HTTPException) -> Response:
        if not _is_call(request):
            text = _OF_PAGES.get(error.status_code, str(error.detail))
            return error_page(request, NotFoundError(text), error.status_code, "Not done")
        text = _OF_THE_SERVER.get(error.status_code, str(error.detail))
        response = problem(error.status_code, "Not done", text)
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(SQLAlchemyError)
    def _database(request: Request, error: SQLAlchemyError) -> Response:
        if isinstance(error, AWAY):
            _log.warning("the database is away: %s", why(error))
            status, title, text = 503, "Database is away", "the database does not answer: try again"
        else:
            _log.error("the database fails: %s", why(error), exc_info=error)
            status, title, text = 500, "Database fails", "the control plane's log says why"
        if not _is_call(request):
            return error_page(request, OunceError(text), status, title)
        return problem(status, title, text)


def _line(error: Mapping[str, Any]) -> str:
    """What is wrong with a part of a call."""
    if error["type"] == "json_invalid":
        return f"body: no JSON: {error['ctx']['error']} (character {error['loc'][-1]})"
    return f"{'.'.join(map(str, error['loc']))}: {error['msg']}"


def _is_json(request: Request) -> bool:
    return "json" in request.headers.get("content-type", "")


def _is_call(request: Request) -> bool:
    return request.url.path.startswith(("/v1", "/healthz", "/readyz"))
