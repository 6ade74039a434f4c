"""What every call brings: who asks, and which version it is based on."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Header, Request, Response, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from ounce_schemas.release import LATEST_MS

from ounce_services.control.access.principal import Principal, Role
from ounce_services.control.errors import PreconditionError
from ounce_services.control.plane import Plane
from ounce_services.control.store.outbox import State

COOKIE = "ounce_session"
_bearer = HTTPBearer(auto_error=False, description="An API key, or a token of the OIDC provider")
_ETAG = re.compile(r'(?:W/)?"?([0-9]{1,15})"?')


def plane_of(request: Request) -> Plane:
    """The parts of this process."""
    plane: Plane = request.app.state.plane
    return plane


def caller_of(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)] = None,
) -> Principal:
    """Who asks."""
    bearer = credentials.credentials if credentials is not None else None
    address = request.client.host if request.client is not None else "?"
    return plane_of(request).gate.enter(bearer, request.cookies.get(COOKIE), address)


def _needs(role: Role) -> Callable[[Principal], Principal]:
    def check(caller: Annotated[Principal, Depends(caller_of)]) -> Principal:
        caller.need(role)
        return caller

    return check


Parts = Annotated[Plane, Depends(plane_of)]
Viewer = Annotated[Principal, Depends(_needs(Role.VIEWER))]
Editor = Annotated[Principal, Depends(_needs(Role.EDITOR))]
Admin = Annotated[Principal, Depends(_needs(Role.ADMIN))]


def base_of(
    if_match: Annotated[
        str | None,
        Header(description='Version that the change is based on, as `"7"`; `"0"`: there is none'),
    ] = None,
) -> int:
    """The version that a change is based on.

    Raises:
        PreconditionError: the call does not say.
    """
    match = _ETAG.fullmatch(if_match.strip()) if if_match is not None else None
    if match is None:
        raise PreconditionError(
            'send If-Match with the version that the change is based on, as "7"; its ETag says it'
        )
    return int(match[1])


Base = Annotated[int, Depends(base_of)]


def set_etag(response: Response, number: int) -> None:
    """Say which version this is."""
    response.headers["ETag"] = f'"{number}"'


def set_status(response: Response, state: State) -> None:
    """202 for what waits for Kafka."""
    response.status_code = 202 if state is State.WAITING else 201


def to_ms(time: datetime | None) -> int | None:
    """In ms since 1970, no less than 0: Kafka takes negative times for marks. A time without an
    offset is UTC."""
    if time is None:
        return None
    at_ms = int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1e3)
    return min(max(at_ms, 0), LATEST_MS)
