"""Keys and the audit log over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from ounce_services.control.access.audit import MOST_SHOWN
from ounce_services.control.access.keys import Key
from ounce_services.control.access.principal import Role
from ounce_services.control.api.calls import Admin, Parts, Viewer
from ounce_services.control.errors import ForbiddenError

router = APIRouter(prefix="/v1", tags=["administration"])
Text = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]


class NewKey(BaseModel):
    """A key that is to be made."""

    model_config = ConfigDict(extra="forbid")

    name: Text = Field(description="Who uses it; stands in the audit log")
    role: Role
    tenant: Text | None = Field(default=None, description="The only tenant it is for; null: all")


class KeyLine(BaseModel):
    """A key without its secret."""

    id: str
    name: str
    role: Role
    tenant: str | None
    created_ms: int
    revoked_ms: int | None


class MadeKey(KeyLine):
    """A key. Its secret is told this once."""

    key: str


class Caller(BaseModel):
    """Who asks."""

    name: str
    role: Role
    tenant: str | None


class AuditLine(BaseModel):
    """What somebody did, or tried to do."""

    id: int
    at_ms: int
    actor: str
    tenant: str | None
    action: str
    subject: str
    outcome: str


@router.get("/me", summary="Say who asks")
def who_asks(caller: Viewer) -> Caller:
    """Name, role and tenant of the key or token."""
    return Caller(name=caller.name, role=caller.role, tenant=caller.tenant)


@router.get("/keys", summary="List keys")
def list_keys(plane: Parts, caller: Admin) -> list[KeyLine]:
    """All keys that the caller may see."""
    return [_line(key) for key in plane.gate.keys.list(caller)]


@router.post("/keys", status_code=201, summary="Make a key")
def make_key(plane: Parts, caller: Admin, body: NewKey) -> MadeKey:
    """Make a key. One who is bound to a tenant makes keys of that tenant."""
    if not caller.may_see(body.tenant):
        raise ForbiddenError(f"{caller.name} makes keys of tenant {caller.tenant} alone")
    with plane.audit.watch(caller, "key.make", f"{body.name} {body.role}") as note:
        text, key = plane.gate.keys.make(body.name, body.role, body.tenant)
        note(f"key {key.id}")
    return MadeKey(**_line(key).model_dump(), key=text)


@router.delete("/keys/{id}", summary="Revoke a key")
def revoke_key(
    plane: Parts, caller: Admin, id: Annotated[str, Path(pattern=r"^[0-9a-f]{16}$")]
) -> KeyLine:
    """End a key, and everything that is logged in with it."""
    with plane.audit.watch(caller, "key.revoke", id):
        return _line(plane.gate.keys.revoke(id, caller))


@router.get("/audit", summary="Read the audit log")
def read_audit(
    plane: Parts,
    caller: Admin,
    limit: Annotated[int, Query(ge=1, le=MOST_SHOWN)] = 100,
    before: Annotated[int | None, Query(ge=1, le=2**62)] = None,
) -> list[AuditLine]:
    """What was changed or tried, the newest first."""
    return [AuditLine(**e._asdict()) for e in plane.audit.newest(caller, limit, before)]


def _line(key: Key) -> KeyLine:
    return KeyLine(**key._asdict())
