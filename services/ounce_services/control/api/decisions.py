"""One decision over HTTP, and the live stream."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from ounce_schemas.names import TASK_NAME_PATTERN
from pydantic import BaseModel

from ounce_services.control.api.calls import Parts, Viewer, to_ms

router = APIRouter(prefix="/v1", tags=["decisions"])
_ALL_TENANTS = "the answers of all devices"


class Rejected(BaseModel):
    """A lighter plan that was not taken."""

    plan: str
    why: str


class DecisionDetail(BaseModel):
    """An answer and how it came about."""

    id: str
    device: str
    model: str
    model_version: str
    timestamp_ms: int
    plan: str
    reason: str
    policy_version: str
    catalogue_version: str
    latency_ms: float
    max_latency_ms: float
    deadline_met: bool
    expected_accuracy: float
    min_accuracy: float
    floor_met: bool
    cost_ms: float
    saved_ms: float
    rejected: list[Rejected]


class StreamLine(BaseModel):
    """What was answered of a task in the last seconds."""

    task: str
    answers_per_s: float
    n_sampled: int
    p50_ms: float
    p99_ms: float
    deadlines_kept: float
    floors_kept: float
    plans: dict[str, float]


@router.get("/decisions/{task}", summary="Explain a decision")
def explain_decision(
    plane: Parts,
    caller: Viewer,
    task: Annotated[str, Path(pattern=TASK_NAME_PATTERN)],
    id: Annotated[str, Query(min_length=1, max_length=500)],
    before: Annotated[
        datetime | None, Query(description="Only answers before this time; without an offset: UTC")
    ] = None,
) -> DecisionDetail:
    """The newest answer to the message of an id, and why its plan was taken."""
    caller.need_all_tenants(_ALL_TENANTS)
    found = plane.find_decision(task, id, to_ms(before))
    decision = found.decision
    parts = [part.partition(": ") for part in decision.rejected.split("; ") if part]
    own = {
        name: getattr(decision, name)
        for name in DecisionDetail.model_fields
        if hasattr(decision, name) and name != "rejected"
    }
    return DecisionDetail(
        **own,
        id=found.id,
        device=found.device,
        model=found.model,
        model_version=found.version,
        timestamp_ms=found.timestamp_ms,
        rejected=[Rejected(plan=plan, why=why) for plan, _, why in parts],
    )


@router.get("/stream", summary="Show what is answered now")
def show_stream(plane: Parts, caller: Viewer) -> list[StreamLine]:
    """Rates of the last seconds, by task, from a sample of the predictions."""
    caller.need_all_tenants(_ALL_TENANTS)
    return [
        StreamLine(
            task=task,
            answers_per_s=stream.per_s,
            n_sampled=len(stream.answers),
            p50_ms=stream.latency_ms(0.5),
            p99_ms=stream.latency_ms(0.99),
            deadlines_kept=stream.in_time,
            floors_kept=stream.floor_kept,
            plans=dict(stream.plans),
        )
        for task in plane.stream.tasks()
        for stream in (plane.stream.of(task),)
    ]
