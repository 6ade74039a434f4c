"""The console's pages that show: fleet, live stream, ladders, one decision."""

import time
from datetime import datetime
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from ounce_edge.dry_run.meeting import Message
from ounce_schemas.errors import ArtifactError, BrokerError, PolicyError
from ounce_schemas.names import TASK_NAME_PATTERN
from ounce_schemas.policy import Policy
from ounce_schemas.prediction import MARKS
from ounce_schemas.routing import Choice, Objective
from pydantic import BeforeValidator

from ounce_services.control.api.calls import Parts, Viewer, to_ms
from ounce_services.control.console.frontier import plot
from ounce_services.control.console.pages import page
from ounce_services.control.errors import NotFoundError
from ounce_services.control.fleet import read_fleet
from ounce_services.control.model_news import read_model_news
from ounce_services.control.plane import Plane
from ounce_services.control.stream import WINDOW_S, TaskStream
from ounce_services.policies.listing import since

router = APIRouter(include_in_schema=False)
TaskQuery = Annotated[str | None, Query(pattern=TASK_NAME_PATTERN)]
TimeQuery = Annotated[datetime | None, BeforeValidator(lambda text: text or None), Query()]
"""Of a field that may be left empty."""
_N_SHOWN = 12
_MOST_WHOLE = 4
"""Tasks whose stream is shown whole; of more, a page would be too long to read."""
WHY = {
    Choice.LIGHTEST_FEASIBLE: "the lightest plan that keeps both targets",
    Choice.LIGHTEST_TOGETHER: "one call for several messages costs less than a lighter one beside",
    Choice.EXPLORATION: "a lighter plan that was tried, within the policy's exploration share",
    Choice.CUT_SHORT: "the step of a cascade at which the time ran out",
    Choice.FALLBACK_MOST_ACCURATE_IN_TIME: "the most accurate in time; none keeps both targets",
    Choice.FALLBACK_LATE: "the lightest that keeps the floor; none is in time",
    Choice.FALLBACK_FASTEST: "one that takes little time; none is in time",
}
"""Why a plan answered, for people."""

UNITS = {
    Objective.CPU_TIME: "CPU ms",
    Objective.ENERGY: "joules",
    Objective.PRICE: "as priced",
    Objective.MEMORY: "bytes",
}
"""What the cost of an item is counted in."""


@router.get("/")
def show_fleet(request: Request, plane: Parts, caller: Viewer, task: TaskQuery = None) -> Response:
    """Workers, and the live stream; of many tasks, all of one."""
    workers, news, trouble = [], [], ""
    try:
        workers = read_fleet(plane.policy_topic, caller)
        news = read_model_news(plane.policy_topic, plane.models, caller)
    except BrokerError as e:  # a caller who may not read what serves sees the workers all the same
        trouble = str(e)
    version, now_ms = plane.policies.history().current, time.time() * 1e3
    silent = [w for w in workers if w.is_silent(version, now_ms)]
    current = None if version is None else version.name
    told = sorted(
        (w for w in workers if w not in silent),
        key=lambda w: not (w.trouble or w.version != current),
    )
    return page(
        request, "fleet", caller, workers=told, silent=silent, task=task,
        since=partial(since, now_ms=now_ms), trouble=trouble, current=current,
        news=[told for told in news if told.troubles],
        **_streams(plane, caller.tenant is None, task),
    )  # fmt: skip


@router.get("/live")
def show_live(request: Request, plane: Parts, caller: Viewer, task: TaskQuery = None) -> Response:
    """The live stream alone."""
    return page(request, "live", caller, **_streams(plane, caller.tenant is None, task))


@router.get("/ladders")
def show_ladders(request: Request, plane: Parts, caller: Viewer) -> Response:
    """Plans of each task by cost and accuracy, as their cards tell."""
    policy = _policy(plane)
    plots, troubles = {}, {}
    for task in plane.policies.tasks():
        try:
            _, choice = plane.policies.explain(policy, Message(task))
        except ArtifactError as e:
            troubles[task] = str(e)
        else:
            plots[task] = plot([] if choice is None else choice.plans)
    return page(
        request, "ladders", caller, plots=plots, troubles=troubles, current=current_name(plane),
        unit=UNITS[policy.objective],
    )  # fmt: skip


@router.get("/decision")
def show_decision(
    request: Request,
    plane: Parts,
    caller: Viewer,
    task: TaskQuery = None,
    id: Annotated[str, Query(max_length=500)] = "",
    before: TimeQuery = None,
) -> Response:
    """One decision, found by the id of its message."""
    found, trouble, before_ms = None, "", to_ms(before)
    if task and id:
        caller.need_all_tenants("the answers of all devices")
        try:
            found = plane.find_decision(task, id.strip(), before_ms)
        except (NotFoundError, BrokerError) as e:
            trouble = str(e)
    rejected = [part for part in found.decision.rejected.split("; ") if part] if found else []
    return page(
        request, "decision", caller, found=found, trouble=trouble, id=id,
        before_ms=before_ms,
        task=task or usual_task(plane),
        tasks=known_tasks(plane), why=WHY[found.decision.reason] if found else "",
        marks=[] if found is None else [name for name in MARKS if getattr(found.decision, name)],
        version=None if found is None else _version(plane, found.decision.policy_version),
        rejected=[part.partition(": ")[::2] for part in rejected],
    )  # fmt: skip


def _version(plane: Plane, name: str) -> int | None:
    """The number of a version of the policy; None: it is none that is known."""
    versions = plane.policies.history().versions.values()
    return next((version.number for version in versions if version.name == name), None)


def current_name(plane: Plane) -> str | None:
    """The version in force; None: there is none."""
    current = plane.policies.history().current
    return None if current is None else current.name


def known_tasks(plane: Plane) -> list[str]:
    """Names of the tasks that Kafka or the ladders name."""
    return sorted({*plane.stream.tasks(), *plane.policies.tasks()})


def usual_task(plane: Plane) -> str | None:
    """The task that a page begins with: one that Kafka has, before one that has a ladder alone."""
    return next(iter([*plane.stream.tasks(), *known_tasks(plane)]), None)


def _policy(plane: Plane) -> Policy:
    current = plane.policies.history().current
    try:
        return Policy() if current is None else current.policy()
    except PolicyError:
        return Policy()


def _streams(plane: Plane, may_see: bool, task: str | None) -> dict[str, Any]:
    """Few tasks are shown whole; many are listed, the worst first, and one is shown whole."""
    streams = {name: plane.stream.of(name) for name in plane.stream.tasks()} if may_see else {}
    is_listed = len(streams) > _MOST_WHOLE
    if is_listed:
        streams = dict(sorted(streams.items(), key=lambda named: _rank(named[1])))
    return {
        "streams": streams,
        "is_listed": is_listed,
        "shown": {n: s for n, s in streams.items() if n == task} if is_listed else streams,
        "may_see": may_see,
        "n_shown": _N_SHOWN,
        "window_s": WINDOW_S,
    }


def _rank(stream: TaskStream) -> tuple[bool, float, float]:
    """Those first that miss most; those without answers last."""
    return not stream.answers, stream.in_time, stream.floor_kept
