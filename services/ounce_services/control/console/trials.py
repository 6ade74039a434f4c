"""The console's page of what is on trial: a canary or a shadow."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from ounce_schemas.canary import Canary, CanaryShare, Confidence, Margin, Shadow, ShadowShare
from ounce_schemas.errors import BrokerError
from ounce_schemas.names import TASK_NAME_PATTERN
from ounce_schemas.policy_history import PolicyVersion

from ounce_services.control.access.principal import Principal
from ounce_services.control.api.calls import Editor, Parts, Viewer
from ounce_services.control.api.trials import DEFAULTS, TASK_MODEL, changed, need_known
from ounce_services.control.console.changes import (
    BaseField,
    DocumentField,
    NoteField,
    policy_page,
    unix,
)
from ounce_services.control.console.pages import page
from ounce_services.control.console.views import known_tasks
from ounce_services.control.plane import Plane
from ounce_services.control.trial_book import Reason
from ounce_services.policies.canary_state import EVIDENCE_HEAD, evidence_rows
from ounce_services.policies.shadow_comparison import (
    CLASSES_HEAD,
    FIGURES_HEAD,
    class_rows,
    figure_rows,
)

router = APIRouter(include_in_schema=False, prefix="/trial")
ModelField = Annotated[str, Form(pattern=rf"^$|{TASK_MODEL}")]
TasksField = Annotated[
    list[Annotated[str, Form(pattern=TASK_NAME_PATTERN)]], Form(min_length=1, max_length=100)
]


@router.get("")
def show(request: Request, plane: Parts, caller: Viewer) -> Response:
    """What is on trial, what workers saw of it, and forms that start another."""
    return _page(request, plane, caller, None)


@router.post("/draft")
def draft(request: Request, plane: Parts, caller: Editor, document: DocumentField) -> Response:
    """The same, with what is edited in the forms; where no trial can start, the editor with what
    is edited. Nothing starts yet."""
    edited, current = unix(document), plane.policies.history().current
    if current is not None and (current.canary is None or _seen(plane, current)["stop"]):
        return _page(request, plane, caller, edited)
    caller.need_all_tenants("a trial")
    trouble = (
        f"{current.name} is a canary: promote or stop it on the page Trial. Then put this on trial."
        if current is not None
        else "No version is in force: apply one. Then put this on trial."
    )
    return policy_page(request, plane, caller, edited, trouble=trouble)


@router.get("/canary")
def show_canary(
    request: Request, plane: Parts, caller: Viewer, known_stop: bool = False
) -> Response:
    """What workers saw of the canary; with what can be done from then on where it has stopped
    itself since the page was made."""
    caller.need_all_tenants("a trial")
    current = plane.policies.history().current
    seen = _seen(plane, current)
    is_news = seen["stop"] is not None and not known_stop
    return page(
        request, "canary", caller, current=current, tasks=known_tasks(plane) if is_news else (),
        defaults=DEFAULTS, is_news=is_news, draft=_document(current), **seen,
    )  # fmt: skip


@router.get("/shadow")
def show_shadow(request: Request, plane: Parts, caller: Viewer) -> Response:
    """What the shadow says, beside what is published."""
    caller.need_all_tenants("a trial")
    current = plane.policies.history().current
    return page(request, "shadow", caller, compared=_compared(plane, current))


@router.post("/canary")
def start_canary(  # noqa: PLR0913
    plane: Parts,
    caller: Editor,
    base: BaseField,
    share: Annotated[CanaryShare, Form()],
    margin: Annotated[Margin, Form()],
    accuracy_margin: Annotated[Margin, Form()],
    confidence: Annotated[Confidence, Form()],
    document: DocumentField = "",
    model: ModelField = "",
    note: NoteField = "",
) -> Response:
    """Put what is edited on trial, or the model that is named."""
    canary = Canary(
        document=unix(document), share=share, margin=margin, accuracy_margin=accuracy_margin,
        confidence=confidence,
    )  # fmt: skip
    start = partial(plane.trials.start_canary, canary, model or None)
    what = f"canary of {model or 'a policy'} on {share:g}"
    changed(plane, caller, what, start, Reason(caller.name, note, base))
    return _done()


@router.post("/shadow")
def start_shadow(  # noqa: PLR0913
    plane: Parts,
    caller: Editor,
    base: BaseField,
    share: Annotated[ShadowShare, Form()],
    task: TasksField,
    document: DocumentField,
    note: NoteField = "",
) -> Response:
    """Let what is edited answer beside."""
    need_known(plane, caller, task)
    shadow = Shadow(document=unix(document), share=share, tasks=tuple(task))
    start = partial(plane.trials.start_shadow, shadow)
    what = f"shadow of {' '.join(task)} on {share:g}"
    changed(plane, caller, what, start, Reason(caller.name, note, base))
    return _done()


@router.post("/promote")
def promote(
    plane: Parts,
    caller: Editor,
    base: BaseField,
    note: NoteField = "",
    force: Annotated[bool, Form()] = False,
) -> Response:
    """Put what is on trial in force for all."""
    end = partial(plane.trials.promote, force=force)
    changed(plane, caller, "promote", end, Reason(caller.name, note, base))
    return _done()


@router.post("/stop")
def stop(plane: Parts, caller: Editor, base: BaseField, note: NoteField = "") -> Response:
    """End what is on trial."""
    changed(plane, caller, "stop", plane.trials.stop, Reason(caller.name, note, base))
    return _done()


def _page(request: Request, plane: Plane, caller: Principal, edited: str | None) -> Response:
    caller.need_all_tenants("a trial")
    current = plane.policies.history().current
    return page(
        request, "trial", caller, current=current, waiting=plane.policies.waiting(),
        tasks=known_tasks(plane), defaults=DEFAULTS, compared=_compared(plane, current),
        is_news=False, draft=_document(current) if edited is None else edited,
        **_seen(plane, current),
    )  # fmt: skip


def _document(version: PolicyVersion | None) -> str:
    return "" if version is None else version.document


def _seen(plane: Plane, version: PolicyVersion | None) -> dict[str, Any]:
    """What workers saw of the canary, and whether it stopped itself; or why that is not known."""
    found: dict[str, Any] = {"stop": None, "rows": [], "head": EVIDENCE_HEAD, "trouble": ""}
    if version is None or version.canary is None:
        return found
    try:
        seen = plane.trials.seen(version)
    except BrokerError as e:
        return found | {"trouble": str(e)}
    return found | {"stop": seen.stop, "rows": evidence_rows(version.canary, seen)}


def _compared(plane: Plane, version: PolicyVersion | None) -> list[dict[str, Any]]:
    """Tables by task."""
    if version is None or version.shadow is None:
        return []
    return [
        {
            "task": task,
            "since_ms": since_ms,
            "found": found,
            "figures": figure_rows(found) if found.n else [],
            "classes": class_rows(found),
            "figures_head": FIGURES_HEAD,
            "classes_head": CLASSES_HEAD,
        }
        for task, since_ms, found in plane.shadows.of(version)
    ]


def _done() -> Response:
    return RedirectResponse("/trial", 303)
