"""How well a workload was served."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from ounce_edge.recommender.beliefs.measures import wilson

from benchmarks.routing.simulation import Result
from benchmarks.routing.tables import Table
from benchmarks.routing.workloads import Workload

WINDOW = 200
"""Messages of one floor, in the order of arrival, whose accuracy is held against it."""


@dataclass(frozen=True)
class Score:
    """Figures of one run; shares in [0, 1]."""

    on_time: float
    """Of all messages."""
    on_time_feasible: float
    """Of as many messages as could have been answered in time."""
    misses: int
    """How many more that would have been."""
    as_asked: float
    """Of as many: answered in time, and by a plan whose accuracy on the test split, under the mix
    of classes at that time, is not below the floor beyond sampling error."""
    windows_kept: float
    """Windows whose accuracy is not below their floor beyond sampling error."""
    accuracy: float
    right_in_time: float
    compute_us: float
    """Model time per answered message, microseconds."""
    p50_ms: float
    p99_ms: float
    by_floor: dict[float, float]
    """Accuracy per floor."""


def in_time(workload: Workload, result: Result) -> NDArray[np.bool_]:
    """Whether each message was answered by its deadline."""
    return result.finish_ms <= workload.deadline_ms + 1e-9


def judge(
    table: Table,
    workload: Workload,
    result: Result,
    feasible: int,
    knows_answers: bool = False,
) -> Score:
    """Score one run.

    Args:
        feasible: how many messages can be answered in time.
        knows_answers: of the oracle, a right answer is as asked whatever model gave it.
    """
    right = result.answer == table.targets[workload.item]
    timely = in_time(workload, result)
    kept = right if knows_answers else _floor_kept(table, workload, result)
    answered = result.plan >= 0
    windows = [
        wilson(float(right[part].mean()), len(part))[1] >= floor
        for floor in np.unique(workload.floor).tolist()
        for part in _windows(np.flatnonzero((workload.floor == floor) & answered))
    ]
    latency_ms = result.finish_ms - workload.arrival_ms
    feasible = max(feasible, 1)
    return Score(
        on_time=float(timely.mean()),
        on_time_feasible=float(timely.sum() / feasible),
        misses=feasible - int(timely.sum()),
        as_asked=float((timely & kept).sum() / feasible),
        windows_kept=float(np.mean(windows)),
        accuracy=float(right[answered].mean()),
        right_in_time=float((right & timely).mean()),
        compute_us=float(result.compute_ms[answered].mean() * 1e3),
        p50_ms=float(np.percentile(latency_ms, 50, method="lower")),
        p99_ms=float(np.percentile(latency_ms, 99, method="lower")),
        by_floor={
            floor: float(right[(workload.floor == floor) & answered].mean())
            for floor in np.unique(workload.floor).tolist()
        },
    )


def _windows(messages: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    return np.array_split(messages, max(len(messages) // WINDOW, 1))


def _floor_kept(table: Table, workload: Workload, result: Result) -> NDArray[np.bool_]:
    """Whether each message's plan is as accurate as its floor asks; not so where it was cut
    short."""
    kept = np.zeros(len(workload), dtype=bool)
    shifted = workload.arrival_ms >= workload.shifted_ms
    for plan in np.unique(result.plan[result.plan >= 0]).tolist():
        right, _ = table.answers.of_plan(table.plans[plan])
        for phase in (shifted, ~shifted):
            if phase.any():
                accuracy = float(right[workload.item[phase]].mean())
                _, high = wilson(accuracy, len(table.targets))
                kept |= phase & (result.plan == plan) & (workload.floor <= high)
    return kept & ~result.cut_short
