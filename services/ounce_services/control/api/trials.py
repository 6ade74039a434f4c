"""Canaries and shadows over HTTP."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Response
from ounce_schemas.bounded_yaml import MOST_BYTES
from ounce_schemas.canary import Canary, CanaryShare, Confidence, Margin, Shadow, ShadowShare
from ounce_schemas.policy_trial import shadow_name
from ounce_schemas.task import TaskName
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from ounce_services.control.access.principal import Principal
from ounce_services.control.api.calls import Base, Editor, Parts, Viewer, set_etag, set_status
from ounce_services.control.api.policies import Note
from ounce_services.control.errors import RefusedError
from ounce_services.control.plane import Plane
from ounce_services.control.policy_book import Applied
from ounce_services.control.store.outbox import State
from ounce_services.control.trial_book import Reason
from ounce_services.policies.canary_state import evidence_rows
from ounce_services.policies.shadow_comparison import Agreement

router = APIRouter(prefix="/v1/trial", tags=["trials"])
_ALL_TENANTS = "a trial"
DEFAULTS = Canary(document="", share=0.1)
Document = Annotated[str, Field(max_length=MOST_BYTES, description="YAML or JSON")]
TASK_MODEL = r"^[a-z0-9][a-z0-9-]{0,62}/[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")

    note: Note = ""


class Ended(_Body):
    """Why it ends."""


class Promoted(_Body):
    """Why what is on trial is to be in force."""

    force: bool = Field(default=False, description="Also where it stopped itself")


class NewCanary(_Body):
    """A policy, or a model, that a share of the devices is to have."""

    document: Document | None = None
    model: str | None = Field(default=None, pattern=TASK_MODEL, description="TASK/MODEL")
    share: CanaryShare
    margin: Margin = DEFAULTS.margin
    accuracy_margin: Margin = DEFAULTS.accuracy_margin
    confidence: Confidence = DEFAULTS.confidence


class NewShadow(_Body):
    """A policy that is to answer a share of the messages, beside."""

    document: Document
    share: ShadowShare
    tasks: tuple[TaskName, ...] = Field(min_length=1, max_length=100)


class CanaryLine(BaseModel):
    """A canary, and what workers saw. Rows of `seen`: task, criterion, share that went wrong on
    trial, of how many, the same of the others, how near to being stopped."""

    document: str
    share: float
    margin: float
    accuracy_margin: float
    confidence: float
    stopped: str | None
    seen: list[tuple[str, ...]]


class ShadowLine(BaseModel):
    """A shadow."""

    document: str
    share: float
    tasks: list[str]


class SideLine(BaseModel):
    """What one policy did with the messages that both answered."""

    deadlines_kept: float
    floors_kept: float
    cost_ms: float
    """Compute each."""


class AgreementLine(BaseModel):
    """Messages that a shadow answered beside. Shares are of `n`."""

    n: int
    agreement: float
    """Share on which both say the same."""
    mostly_instead: str | None
    """The class that the shadow mostly names where they differ."""
    shadow: SideLine
    published: SideLine


class ComparedLine(AgreementLine):
    """All of one task, of the newest messages on."""

    task: str
    policy_version: str
    since_ms: int
    classes: dict[str, AgreementLine]
    """By the class that was published."""


class Trial(BaseModel):
    """What is on trial."""

    number: int
    author: str
    at: AwareDatetime
    note: str
    canary: CanaryLine | None
    shadow: ShadowLine | None


class Changed(BaseModel):
    """The version that a change made."""

    number: int
    state: State


@router.get("", summary="Show what is on trial")
def show_trial(plane: Parts, caller: Viewer, response: Response) -> Trial:
    """The canary or shadow of the version in force, and what workers saw of it."""
    caller.need_all_tenants(_ALL_TENANTS)
    version = plane.trials.version()
    set_etag(response, version.number)
    canary, shadow = None, None
    if version.canary is not None:
        seen = plane.trials.seen(version)
        canary = CanaryLine(
            **version.canary.model_dump(),
            stopped=None if seen.stop is None else seen.stop.reason,
            seen=evidence_rows(version.canary, seen),
        )
    if version.shadow is not None:
        shadow = ShadowLine(**version.shadow.model_dump())
    return Trial(
        number=version.number, author=version.author, at=version.at, note=version.note,
        canary=canary, shadow=shadow,
    )  # fmt: skip


@router.get("/shadow", summary="Compare a shadow with what is published")
def compare_shadow(plane: Parts, caller: Viewer) -> list[ComparedLine]:
    """What the shadow of the version in force says, keeps and costs on the same messages as what
    is published, by task; only what was answered while this process watched."""
    caller.need_all_tenants(_ALL_TENANTS)
    version = plane.trials.shadowed()
    return [
        ComparedLine(
            task=task,
            policy_version=shadow_name(version),
            since_ms=since_ms,
            classes={name: AgreementLine(**_agreement(one)) for name, one in found.classes.items()},
            **_agreement(found),
        )
        for task, since_ms, found in plane.shadows.of(version)
    ]


@router.post("/canary", status_code=201, summary="Start a canary")
def start_canary(
    plane: Parts, caller: Editor, base: Base, body: NewCanary, response: Response
) -> Changed:
    """Put a policy, or a model, on trial on a share of the devices."""
    if (body.document is None) is (body.model is None):
        raise RefusedError("name either a document or a model")
    canary = Canary(
        document=body.document or "",
        **body.model_dump(include={"share", "margin", "accuracy_margin", "confidence"}),
    )
    what = f"canary of {body.model or 'a policy'} on {body.share:g}"
    start = partial(plane.trials.start_canary, canary, body.model)
    reason = Reason(caller.name, body.note, base)
    return _answer(response, changed(plane, caller, what, start, reason))


@router.post("/shadow", status_code=201, summary="Start a shadow")
def start_shadow(
    plane: Parts, caller: Editor, base: Base, body: NewShadow, response: Response
) -> Changed:
    """Let a policy answer a share of the messages, beside what is published."""
    need_known(plane, caller, body.tasks)
    shadow = Shadow(document=body.document, share=body.share, tasks=body.tasks)
    start = partial(plane.trials.start_shadow, shadow)
    what = f"shadow of {' '.join(body.tasks)} on {body.share:g}"
    reason = Reason(caller.name, body.note, base)
    return _answer(response, changed(plane, caller, what, start, reason))


@router.post("/promote", status_code=201, summary="Promote a canary")
def promote(
    plane: Parts, caller: Editor, base: Base, body: Promoted, response: Response
) -> Changed:
    """Put what is on trial in force for all devices."""
    end = partial(plane.trials.promote, force=body.force)
    reason = Reason(caller.name, body.note, base)
    return _answer(response, changed(plane, caller, "promote", end, reason))


@router.post("/stop", status_code=201, summary="Stop a canary or a shadow")
def stop(plane: Parts, caller: Editor, base: Base, body: Ended, response: Response) -> Changed:
    """End what is on trial: all devices have what the others had."""
    reason = Reason(caller.name, body.note, base)
    return _answer(response, changed(plane, caller, "stop", plane.trials.stop, reason))


def need_known(plane: Plane, caller: Principal, tasks: Sequence[str]) -> None:
    """Check that tasks are known to Kafka or have a ladder here. What Kafka has is not known for a
    moment after the start; then nothing is refused.

    Raises:
        ForbiddenError: the caller is of one tenant, and does not hear of the others' tasks.
        RefusedError: naming those that are not.
    """
    caller.need_all_tenants(_ALL_TENANTS)
    in_kafka = plane.stream.tasks()
    known = sorted({*in_kafka, *plane.policies.tasks()})
    unknown = sorted(set(tasks) - set(known))
    if in_kafka and unknown:
        raise RefusedError(f"no task {', '.join(unknown)}; there are {', '.join(known)}")


def changed(
    plane: Plane, caller: Principal, what: str, change: Callable[[Reason], Applied], reason: Reason
) -> Applied:
    """Change what is on trial, and note it in the audit log."""
    caller.need_all_tenants(_ALL_TENANTS)
    with plane.audit.watch(caller, "trial", f"{what}, based on {reason.base}") as note:
        applied = change(reason)
        note(f"{applied.version.name} {applied.state}")
    return applied


def _agreement(of: Agreement) -> dict[str, Any]:
    sides = {
        name: SideLine(
            deadlines_kept=side.in_time / max(of.n, 1),
            floors_kept=side.floors_kept / max(of.n, 1),
            cost_ms=side.cost_ms / max(of.n, 1),
        )
        for name, side in (("shadow", of.shadow), ("published", of.published))
    }
    instead = of.mostly_instead or None
    return {"n": of.n, "agreement": of.agreement, "mostly_instead": instead, **sides}


def _answer(response: Response, applied: Applied) -> Changed:
    set_status(response, applied.state)
    set_etag(response, applied.version.number)
    return Changed(number=applied.version.number, state=applied.state)
