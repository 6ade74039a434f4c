"""The console's pages that change: logging in, the policy, dead letters."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse
from ounce_schemas.bounded_yaml import MOST_BYTES
from ounce_schemas.errors import BrokerError, Reason
from ounce_schemas.names import TASK_NAME_PATTERN
from ounce_schemas.policy_history import Change, PolicyVersion
from pydantic import BeforeValidator

from ounce_services.control.access.keys import SESSION_S
from ounce_services.control.access.principal import Principal
from ounce_services.control.api.calls import COOKIE, Editor, Parts, Viewer
from ounce_services.control.api.dead_letters import At, Selected, replay_selected
from ounce_services.control.console.pages import is_fragment, page, page_of
from ounce_services.control.console.views import TaskQuery, known_tasks, usual_task
from ounce_services.control.dead_letter_desk import MOST_AT_ONCE, Listed
from ounce_services.control.errors import UnauthorizedError
from ounce_services.control.plane import Plane
from ounce_services.control.tenancy import visible_document, with_visible_note
from ounce_services.control.tenant_edit import apply_edited
from ounce_services.dead_letters.letter import Position
from ounce_services.policies.diffing import unified_diff
from ounce_services.policies.foresight_rows import HEAD, figure_rows, plan_rows, summary

router = APIRouter(include_in_schema=False)
DocumentField = Annotated[str, Form(max_length=MOST_BYTES)]
NoteField = Annotated[str, Form(max_length=2000, pattern=r"^[^\x00]*$")]
BaseField = Annotated[int, Form(ge=0, le=10**9)]
_may_be_empty = BeforeValidator(lambda text: text or None)
ReasonQuery = Annotated[Reason | None, _may_be_empty, Query()]
ReasonField = Annotated[Reason | None, _may_be_empty, Form()]
TaskField = Annotated[str, Form(pattern=TASK_NAME_PATTERN)]
_MOST_TARGET = 10_000
"""Letters of a page's address: one with the longest id of a message, each letter of it escaped."""


@router.get("/login")
def show_login(
    request: Request, to: Annotated[str, Query(max_length=_MOST_TARGET)] = ""
) -> Response:
    """Ask for a key, then lead to the page that was asked for."""
    return page(request, "login", None, trouble="", to=page_of(to))


@router.post("/login")
def log_in(
    request: Request,
    plane: Parts,
    key: Annotated[str, Form(max_length=200)],
    to: Annotated[str, Form(max_length=_MOST_TARGET)] = "",
) -> Response:
    """Log in with a key."""
    address = request.client.host if request.client is not None else "?"
    try:
        token, _ = plane.gate.log_in(key.strip(), address)
    except UnauthorizedError as e:
        return page(request, "login", None, 401, trouble=str(e), to=page_of(to))
    response = RedirectResponse(page_of(to), 303)
    response.set_cookie(
        COOKIE, token, SESSION_S, httponly=True, samesite="strict",
        secure=request.url.scheme == "https",
    )  # fmt: skip
    return response


@router.post("/logout")
def log_out(request: Request, plane: Parts) -> Response:
    """End the session."""
    token = request.cookies.get(COOKIE)
    if token:
        plane.gate.keys.log_out(token)
    response = RedirectResponse("/login", 303)
    response.delete_cookie(COOKIE)
    return response


@router.get("/policy")
def show_policy(
    request: Request,
    plane: Parts,
    caller: Viewer,
    version: Annotated[int | None, Query(ge=1, le=10**9)] = None,
) -> Response:
    """The editor and all versions; in the editor the one in force, or another."""
    current = plane.policies.history().current
    opened = current if version is None else plane.policies.version(version)
    document = "" if opened is None else visible_document(opened.document, caller)
    return policy_page(
        request, plane, caller, document, opened=None if opened == current else opened
    )


def policy_page(
    request: Request,
    plane: Plane,
    caller: Principal,
    document: str,
    opened: PolicyVersion | None = None,
    trouble: str = "",
) -> Response:
    """The editor with a document, which may be that of a version that is not in force."""
    history = plane.policies.history()
    shown = None if history.current is None else with_visible_note(history.current, caller)
    versions = [with_visible_note(v, caller) for v in history.versions.values()]
    return page(
        request, "policy", caller, document=document, current=shown, opened=opened,
        trouble=trouble, versions=versions[::-1], waiting=plane.policies.waiting(),
        may_change=caller.tenant is None,
    )  # fmt: skip


@router.post("/policy/check")
def check(request: Request, plane: Parts, caller: Viewer, document: DocumentField) -> Response:
    """What is wrong with what is edited."""
    findings = plane.policies.check(unix(document))
    return _part(request, plane, caller, "check", findings=findings)


@router.post("/policy/diff")
def diff(request: Request, plane: Parts, caller: Viewer, document: DocumentField) -> Response:
    """How what is edited differs from the version in force."""
    current = plane.policies.history().current
    before = "" if current is None else visible_document(current.document, caller)
    name = "nothing" if current is None else current.name
    lines = unified_diff(before, unix(document), name, "as edited").splitlines()
    return _part(request, plane, caller, "diff", lines=lines)


@router.post("/policy/replay")
def replay(request: Request, plane: Parts, caller: Viewer, document: DocumentField) -> Response:
    """What would have changed for recorded messages."""
    caller.need_all_tenants("a replay")
    tasks = [
        (summary(task, found), figure_rows(found), plan_rows(found), found.changes[:10])
        for task, found in plane.policies.replay(unix(document)).items()
    ]
    return _part(request, plane, caller, "replay", tasks=tasks, head=HEAD)


@router.post("/policy/apply")
def apply(
    request: Request,
    plane: Parts,
    caller: Editor,
    document: DocumentField,
    base: BaseField,
    note: NoteField = "",
) -> Response:
    """Put what is edited in force."""
    apply_edited(plane, caller, Change(unix(document), caller.name, note), base)
    return _done(request)


@router.post("/policy/restore")
def restore(
    request: Request,
    plane: Parts,
    caller: Editor,
    number: BaseField,
    base: BaseField,
    note: NoteField = "",
) -> Response:
    """Put the policy of another version in force again."""
    caller.need_all_tenants("the whole policy")
    with plane.audit.watch(caller, "policy.restore", f"v{number}, based on {base}") as tell:
        version, state = plane.policies.restore(number, caller.name, note, base)
        tell(f"{version.name} {state}")
    return _done(request)


@router.get("/dead-letters")
def show_letters(
    request: Request,
    plane: Parts,
    caller: Viewer,
    task: TaskQuery = None,
    reason: ReasonQuery = None,
    at: Annotated[str, Query(pattern=r"^([0-9]{1,9}:[0-9]{1,18})?$")] = "",
) -> Response:
    """Dead letters of a task, perhaps of one reason; perhaps all of one."""
    task = task or usual_task(plane)
    listed, lines, trouble = None, [], ""
    if task is not None:
        try:
            listed = plane.dead_letters.look_up(task, caller, _reasons(reason))
            lines = plane.dead_letters.show(task, Position.parse(at), caller) if at else []
        except BrokerError as e:
            trouble = str(e)
    return _letters(
        request, plane, caller, task=task, reason=reason, listed=listed, lines=lines,
        trouble=trouble, at=at,
    )  # fmt: skip


@router.post("/dead-letters")
def replay_letters(  # noqa: PLR0913
    request: Request,
    plane: Parts,
    caller: Editor,
    task: TaskField,
    position: Annotated[list[At] | None, Form(max_length=MOST_AT_ONCE)] = None,
    reason: ReasonField = None,
    everything: Annotated[bool, Form()] = False,
) -> Response:
    """Send back those that are ticked, or all of a reason."""
    chosen = {"reasons": [reason]} if everything and reason else {"positions": position or ()}
    done = replay_selected(plane, caller, task, Selected.model_validate(chosen))
    listed = plane.dead_letters.look_up(task, caller, _reasons(reason))
    return _letters(
        request, plane, caller, task=task, reason=reason, listed=listed, outcome=done
    )  # fmt: skip


def _reasons(reason: Reason | None) -> frozenset[Reason]:
    return frozenset() if reason is None else frozenset((reason,))


def _letters(request: Request, plane: Plane, caller: Principal, **values: Any) -> Response:
    listed: Listed | None = values["listed"]
    counts = [] if listed is None else listed.counts.values()
    known = {
        "lines": [], "trouble": "", "at": "", "outcome": None, "tasks": known_tasks(plane),
        "reasons": frozenset(Reason),  # a record may name any other
    }  # fmt: skip
    n_waiting = sum(count.total - count.replayed for count in counts)
    return page(request, "letters", caller, **{**known, "n_waiting": n_waiting, **values})


def _part(request: Request, plane: Plane, caller: Viewer, result: str, **values: Any) -> Response:
    """What a button of the editor shows: a part of the page, or without scripts one of its own."""
    name = "policy_result" if is_fragment(request) else "policy_result_page"
    return page(request, name, caller, result=result, **values)


def _done(request: Request) -> Response:
    if is_fragment(request):
        return Response(headers={"HX-Redirect": "/policy"})
    return RedirectResponse("/policy", 303)


def unix(document: str) -> str:
    """Browsers end the lines of a form with CR LF."""
    return document.replace("\r\n", "\n")
