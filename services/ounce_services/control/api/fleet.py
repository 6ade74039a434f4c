"""The fleet over HTTP: which worker runs what."""

import time

from fastapi import APIRouter
from pydantic import BaseModel

from ounce_services.control.api.calls import Parts, Viewer
from ounce_services.control.fleet import read_fleet

router = APIRouter(prefix="/v1/fleet", tags=["fleet"])


class WorkerLine(BaseModel):
    """A worker and task, as its events tell."""

    worker: str
    task: str
    policy: str | None
    """Version in force; null: the one that it started with."""
    since_ms: int
    trouble: str | None
    is_current: bool
    is_silent: bool
    """Whether it told nothing since the version in force came: it may be gone."""


class Fleet(BaseModel):
    """All workers that told anything."""

    policy: str | None
    workers: list[WorkerLine]


@router.get("", summary="List workers and what they run")
def show_fleet(plane: Parts, caller: Viewer) -> Fleet:
    """Which worker runs which version of the policy, and what troubles it."""
    version, now_ms = plane.policies.history().current, time.time() * 1e3
    current = None if version is None else version.name
    return Fleet(
        policy=current,
        workers=[
            WorkerLine(
                worker=w.worker,
                task=w.task,
                policy=w.version,
                since_ms=w.at_ms,
                trouble=w.trouble,
                is_current=current is None or w.version == current,
                is_silent=w.is_silent(version, now_ms),
            )
            for w in read_fleet(plane.policy_topic, caller)
        ],
    )
