"""Dead letters over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from ounce_schemas.errors import Reason
from ounce_schemas.names import TASK_NAME_PATTERN
from ounce_schemas.wording import counted
from pydantic import BaseModel, ConfigDict, Field

from ounce_services.control.access.principal import Principal
from ounce_services.control.api.calls import Editor, Parts, Viewer
from ounce_services.control.dead_letter_desk import MOST_AT_ONCE, Replayed
from ounce_services.control.errors import RefusedError
from ounce_services.control.plane import Plane
from ounce_services.dead_letters.letter import Position
from ounce_services.dead_letters.replaying import Selection

router = APIRouter(prefix="/v1/dead-letters", tags=["dead letters"])
Task = Annotated[str, Path(pattern=TASK_NAME_PATTERN)]
At = Annotated[str, Field(pattern=r"^[0-9]{1,9}:[0-9]{1,18}$", description="PARTITION:OFFSET")]


class Letter(BaseModel):
    """A dead letter."""

    position: str
    timestamp_ms: int
    reason: str | None
    text: str | None
    id: str | None
    attempts: int | None
    replayed_at: str | None
    key: str | None
    key_hex: str | None
    size_bytes: int | None
    origin: str | None


class Counted(BaseModel):
    """Dead letters of one reason."""

    total: int
    replayed: int


class Letters(BaseModel):
    """The newest dead letters, oldest first, and how many there are by reason."""

    letters: list[Letter]
    counts: dict[str, Counted]


class Detail(BaseModel):
    """Everything of one dead letter, for a person."""

    lines: list[str]


class Selected(BaseModel):
    """What is to be sent back: positions, or reasons, or all."""

    model_config = ConfigDict(extra="forbid")

    positions: tuple[At, ...] = Field(default=(), max_length=MOST_AT_ONCE)
    reasons: frozenset[Reason] = frozenset()
    everything: bool = False
    again: bool = Field(default=False, description="Also what was replayed before")


class Outcome(BaseModel):
    """What became of a replay."""

    sent: list[str]
    problems: list[str]
    n_left: int


@router.get("/{task}", summary="List dead letters of a task")
def list_letters(
    plane: Parts,
    caller: Viewer,
    task: Task,
    reason: Annotated[list[Reason] | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Letters:
    """The newest dead letters, and how many there are by reason."""
    listed = plane.dead_letters.look_up(task, caller, frozenset(reason or ()), limit)
    names = Letter.model_fields
    return Letters(
        letters=[Letter(**{name: getattr(e, name) for name in names}) for e in listed.entries],
        counts={reason: Counted(**count._asdict()) for reason, count in listed.counts.items()},
    )


@router.get("/{task}/{position}", summary="Show a dead letter")
def show_letter(
    plane: Parts,
    caller: Viewer,
    task: Task,
    position: Annotated[str, Path(pattern=r"^[0-9]{1,9}:[0-9]{1,18}$")],
) -> Detail:
    """Everything of one dead letter."""
    return Detail(lines=plane.dead_letters.show(task, Position.parse(position), caller))


@router.post("/{task}/replay", summary="Send dead letters back")
def replay_letters(plane: Parts, caller: Editor, task: Task, body: Selected) -> Outcome:
    """Send dead letters back to the requests topic, as they came. Each goes once."""
    done = replay_selected(plane, caller, task, body)
    return Outcome(sent=[str(p) for p in done.sent], problems=done.problems, n_left=done.n_left)


def replay_selected(plane: Plane, caller: Principal, task: str, selected: Selected) -> Replayed:
    """Replay, and note it in the audit log.

    Raises:
        RefusedError: it is not said which.
    """
    if bool(selected.positions) + bool(selected.reasons) + selected.everything != 1:
        raise RefusedError("say which: positions, or reasons, or everything")
    selection = Selection(
        tuple(dict.fromkeys(map(Position.parse, selected.positions))),
        frozenset(map(str, selected.reasons)),
        selected.again,
    )
    what = " ".join([*selected.positions, *selected.reasons]) or "everything"
    with plane.audit.watch(caller, "dead-letters.replay", f"{task} {what}") as note:
        done = plane.dead_letters.replay(task, selection, caller)
        note(f"{len(done.sent)} sent, {counted(len(done.problems), 'problem')}, {done.n_left} left")
    return done
