"""Policies over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from ounce_edge.dry_run.check import Finding
from ounce_edge.dry_run.meeting import Message
from ounce_schemas.bounded_yaml import MOST_BYTES
from ounce_schemas.policy_history import Change, PolicyVersion
from ounce_schemas.policy_rules import MaxLatencyMs, MinAccuracy
from ounce_schemas.task import TaskName
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from ounce_services.control.access.principal import Principal
from ounce_services.control.api.calls import Base, Editor, Parts, Viewer, set_etag, set_status
from ounce_services.control.policy_book import Applied
from ounce_services.control.store.outbox import State
from ounce_services.control.tenancy import visible_document, with_visible_note
from ounce_services.control.tenant_edit import apply_edited
from ounce_services.policies.diffing import unified_diff
from ounce_services.policies.foresight_rows import figure_rows, plan_rows, summary

router = APIRouter(prefix="/v1/policies", tags=["policies"])
Number = Annotated[int, Path(ge=1, le=10**9)]
Note = Annotated[str, Field(max_length=2000, pattern=r"^[^\x00]*$", description="Why")]
_ALL_TENANTS = "the whole policy"


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Document(_Body):
    """A policy."""

    document: str = Field(max_length=MOST_BYTES, description="YAML or JSON")


class NewVersion(Document):
    """A policy that is to be in force."""

    note: Note = ""
    force: bool = Field(default=False, description="Also where the check finds errors")


class Restored(_Body):
    """Why an earlier version is to be in force again."""

    note: Note = ""


class Explained(_Body):
    """A message, as rules see it."""

    task: TaskName
    document: str | None = Field(
        default=None, max_length=MOST_BYTES, description="Absent: the policy in force"
    )
    device: str | None = Field(default=None, max_length=1000)
    extensions: dict[str, str] = Field(
        default={}, max_length=20, description="CloudEvents extensions, such as tenant"
    )
    max_latency_ms: MaxLatencyMs | None = None
    min_accuracy: MinAccuracy | None = None


class Tried(Document):
    """A policy that is to be replayed."""

    tasks: tuple[TaskName, ...] = Field(default=(), max_length=100)


class Compared(Document):
    """A policy that is to be compared."""

    version: int | None = Field(default=None, ge=1, le=10**9, description="Absent: the current one")


class VersionLine(BaseModel):
    """A version without its document."""

    number: int
    author: str
    at: AwareDatetime
    note: str
    restores: int | None
    state: State


class Version(VersionLine):
    """A version."""

    document: str


class Versions(BaseModel):
    """All versions, the newest first."""

    current: int
    versions: list[VersionLine]


class FindingLine(BaseModel):
    """One thing that is wrong with a policy."""

    level: str
    where: str
    text: str


class Verdict(BaseModel):
    """What is wrong with a policy."""

    usable: bool
    findings: list[FindingLine]


class PlanLine(BaseModel):
    """What is believed of a plan, for a message."""

    plan: str
    p99_ms: float
    accuracy_low: float
    verdict: str
    answers: bool


class Explanation(BaseModel):
    """What a policy makes of a message."""

    rule: str | None
    max_latency_ms: float
    min_accuracy: float
    fallback: str
    reason: str | None
    plans: list[PlanLine]


class Difference(BaseModel):
    """How two policies differ."""

    diff: str


class Foreseen(BaseModel):
    """What a policy would have changed for a task. Rows: name, before, after, difference."""

    summary: str
    figures: list[tuple[str, str, str, str]]
    plans: list[tuple[str, str, str, str]]
    changes: list[tuple[str, str, str, str, str]]


@router.get("", summary="List versions")
def list_versions(plane: Parts, caller: Viewer, response: Response) -> Versions:
    """All versions, the newest first, and changes that wait for Kafka."""
    history = plane.policies.history()
    number = history.current.number if history.current is not None else 0
    set_etag(response, number)
    lines = [_line(v, State.IN_FORCE, caller) for v in history.versions.values()]
    lines += [
        _line(v, State.WAITING, caller)
        for v in plane.policies.waiting()
        if v.number not in history.versions
    ]
    return Versions(current=number, versions=lines[::-1])


@router.get("/current", summary="Show the version in force")
def show_current(plane: Parts, caller: Viewer, response: Response) -> Version:
    """The version in force, as its author wrote it; to one tenant, without the others' rules."""
    version = plane.policies.version()
    set_etag(response, version.number)
    return _version(version, State.IN_FORCE, caller)


@router.get("/{number}", summary="Show a version")
def show_version(plane: Parts, caller: Viewer, number: Number, response: Response) -> Version:
    """One version."""
    version = plane.policies.version(number)
    set_etag(response, version.number)
    return _version(version, State.IN_FORCE, caller)


@router.post("", status_code=201, summary="Apply a policy")
def apply(
    plane: Parts, caller: Editor, base: Base, body: NewVersion, response: Response
) -> Version:
    """Check a policy and put it in force. 202: it waits for Kafka. One who is bound to a tenant
    changes the rules of that tenant alone."""
    if body.force:
        caller.need_all_tenants("force")
    change = Change(body.document, caller.name, body.note)
    return _applied(apply_edited(plane, caller, change, base, body.force), response, caller)


@router.post("/{number}/restore", status_code=201, summary="Roll back to a version")
def restore(
    plane: Parts, caller: Editor, number: Number, base: Base, body: Restored, response: Response
) -> Version:
    """Put the policy of an earlier version in force again, as a new version."""
    caller.need_all_tenants(_ALL_TENANTS)
    with plane.audit.watch(caller, "policy.restore", f"v{number}, based on {base}") as note:
        applied = plane.policies.restore(number, caller.name, body.note, base)
        note(f"{applied.version.name} {applied.state}")
    return _applied(applied, response, caller)


@router.post("/check", summary="Check a policy")
def check(plane: Parts, caller: Viewer, body: Document) -> Verdict:
    """Say what is wrong with a policy; changes nothing."""
    findings = plane.policies.check(body.document)
    usable = not any(finding.level == "error" for finding in findings)
    return Verdict(usable=usable, findings=[_finding(finding) for finding in findings])


@router.post("/explain", summary="Explain what a policy makes of a message")
def explain(plane: Parts, caller: Viewer, body: Explained) -> Explanation:
    """Say which rule a message meets, and which plan would answer it."""
    if body.document is None:
        document = visible_document(plane.policies.version().document, caller)
    else:
        document = body.document
    message = Message(
        body.task,
        None if body.device is None else body.device.encode(),
        {f"ce_{name}": value.encode() for name, value in body.extensions.items()},
        body.max_latency_ms,
        body.min_accuracy,
    )
    meeting, choice = plane.policies.explain(plane.policies.parse(document), message)
    plans = [] if choice is None else choice.plans
    return Explanation(
        rule=meeting.rule,
        max_latency_ms=meeting.max_latency_ms,
        min_accuracy=meeting.min_accuracy,
        fallback=meeting.settings.fallback,
        reason=None if choice is None else choice.reason,
        plans=[
            PlanLine(
                plan=a.plan,
                p99_ms=a.p99_ms,
                accuracy_low=a.accuracy_low,
                verdict=a.verdict(meeting.max_latency_ms, meeting.min_accuracy),
                answers=choice is not None and a.plan == choice.plan,
            )
            for a in plans
        ],
    )


@router.post("/diff", summary="Compare a policy with a version")
def diff(plane: Parts, caller: Viewer, body: Compared) -> Difference:
    """Show how a policy differs from a version."""
    version = plane.policies.version(body.version)
    before = visible_document(version.document, caller)
    return Difference(diff=unified_diff(before, body.document, version.name, "this one"))


@router.post("/replay", summary="Replay recorded decisions under a policy")
def replay(
    plane: Parts, caller: Viewer, body: Tried, limit: Annotated[int, Query(ge=0, le=50)] = 10
) -> dict[str, Foreseen]:
    """Make recorded decisions again under a policy, and say what changes, by task."""
    caller.need_all_tenants("a replay")
    return {
        task: Foreseen(
            summary=summary(task, found),
            figures=list(figure_rows(found)),
            plans=list(plan_rows(found)),
            changes=[(c.id, c.device, c.before, c.after, c.what) for c in found.changes[:limit]],
        )
        for task, found in plane.policies.replay(body.document, body.tasks).items()
    }


def _applied(applied: Applied, response: Response, caller: Principal) -> Version:
    set_status(response, applied.state)
    set_etag(response, applied.version.number)
    return _version(applied.version, applied.state, caller)


def _line(version: PolicyVersion, state: State, caller: Principal) -> VersionLine:
    return VersionLine(
        number=version.number,
        author=version.author,
        at=version.at,
        note=with_visible_note(version, caller).note,
        restores=version.restores,
        state=state,
    )


def _version(version: PolicyVersion, state: State, caller: Principal) -> Version:
    document = visible_document(version.document, caller)
    return Version(**_line(version, state, caller).model_dump(), document=document)


def _finding(finding: Finding) -> FindingLine:
    return FindingLine(level=finding.level, where=finding.where, text=finding.text)
