"""The console's pages for administrators: keys and the audit log."""

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from ounce_services.control.access.principal import Principal, Role
from ounce_services.control.api.administration import MadeKey, NewKey, Text, make_key, revoke_key
from ounce_services.control.api.calls import Admin, Parts
from ounce_services.control.console.pages import page
from ounce_services.control.plane import Plane

router = APIRouter(include_in_schema=False)
_N_LINES = 100


@router.get("/keys")
def show_keys(request: Request, plane: Parts, caller: Admin) -> Response:
    """All keys that the caller may see."""
    return _keys(request, plane, caller, None)


@router.post("/keys")
def make(
    request: Request,
    plane: Parts,
    caller: Admin,
    name: Annotated[Text, Form()],
    role: Annotated[Role, Form()],
    tenant: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Make a key and show it, this once."""
    made = make_key(plane, caller, NewKey(name=name, role=role, tenant=tenant.strip() or None))
    return _keys(request, plane, caller, made)


@router.post("/keys/revoke")
def revoke(
    plane: Parts, caller: Admin, id: Annotated[str, Form(pattern=r"^[0-9a-f]{16}$")]
) -> Response:
    """End a key."""
    revoke_key(plane, caller, id)
    return RedirectResponse("/keys", 303)


@router.get("/audit")
def show_audit(
    request: Request,
    plane: Parts,
    caller: Admin,
    before: Annotated[int | None, Query(ge=1, le=2**62)] = None,
) -> Response:
    """What was changed or tried, the newest first."""
    lines = plane.audit.newest(caller, _N_LINES + 1, before)
    return page(
        request, "audit", caller, lines=lines[:_N_LINES], before=before,
        older=lines[_N_LINES - 1].id if len(lines) > _N_LINES else None,
    )  # fmt: skip


def _keys(request: Request, plane: Plane, caller: Principal, made: MadeKey | None) -> Response:
    keys = plane.gate.keys.list(caller)
    return page(request, "keys", caller, keys=keys, made=made, roles=list(Role))
