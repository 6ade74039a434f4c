"""How well a workload was served."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from ounce_edge.recommender.accuracy import wilson

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
    """Of the messages that could have been answered in time."""
    misses: int
    """Feasible messages that were late."""
    floors_kept: float
    """Windows whose accuracy is not below their floor beyond sampling error."""
    targets_kept: float
    """Feasible messages that were answered in time, in a window that kept its floor."""
    accuracy: float
    right_in_time: float
    compute_us: float
    """Per message, microseconds."""
    p50_ms: float
    p99_ms: float
    by_floor: dict[float, float]
    """Accuracy per floor."""


def in_time(workload: Workload, result: Result) -> NDArray[np.bool_]:
    """Whether each message was answered by its deadline."""
    return result.finish_ms <= workload.deadline_ms + 1e-9


def judge(
    table: Table, workload: Workload, result: Result, feasible: NDArray[np.bool_]
) -> Score:
    """Score one run.

    Args:
        feasible: messages that some rule can answer in time, shape (n,).
    """
    right = result.answer == table.targets[workload.item]
    timely = in_time(workload, result)
    kept = np.zeros(len(workload), dtype=bool)
    windows = n_kept = 0
    by_floor = {}
    for floor in np.unique(workload.floor).tolist():
        mine = np.flatnonzero(workload.floor == floor)
        by_floor[floor] = float(right[mine].mean())
        for part in np.array_split(mine, max(len(mine) // WINDOW, 1)):
            _, high = wilson(float(right[part].mean()), len(part))
            windows += 1
            if high >= floor:
                n_kept += 1
                kept[part] = True
    latency_ms = result.finish_ms - workload.arrival_ms
    possible = max(int(feasible.sum()), 1)
    return Score(
        on_time=float(timely.mean()),
        on_time_feasible=float((timely & feasible).sum() / possible),
        misses=int((feasible & ~timely).sum()),
        floors_kept=n_kept / windows,
        targets_kept=float((timely & feasible & kept).sum() / possible),
        accuracy=float(right.mean()),
        right_in_time=float((right & timely).mean()),
        compute_us=float(result.compute_ms.mean() * 1e3),
        p50_ms=float(np.percentile(latency_ms, 50)),
        p99_ms=float(np.percentile(latency_ms, 99)),
        by_floor=by_floor,
    )
