"""How long a decision takes."""

import statistics
import time

import numpy as np
from ounce_edge.recommender.pacing.next_calls import Circumstances, choose_next_calls
from ounce_schemas.routing import Fallback

from benchmarks.routing.tables import Table
from benchmarks.routing.workloads import DEADLINES_MS, floors_of

BATCH = 100
REPEATS = 400


def time_deciding(table: Table, fewest_left_ms: float) -> float:
    """Median time per message of `choose_next_calls` for batches of 100 with mixed floors
    and deadlines, microseconds.

    Args:
        fewest_left_ms: messages with less time left do not occur: a small value makes for crowded
            batches, a large one for roomy ones.
    """
    rng = np.random.default_rng(0)
    view = table.fresh_plans().view(0.0)
    floors = floors_of(table)
    times_us = []
    for _ in range(REPEATS):
        left_ms = np.maximum(rng.choice(DEADLINES_MS, BATCH) * rng.random(BATCH), fewest_left_ms)
        floor = rng.choice(floors, BATCH)
        start = time.perf_counter()
        choose_next_calls(Circumstances(view, left_ms, floor, Fallback.MOST_ACCURATE_IN_TIME))
        times_us.append((time.perf_counter() - start) * 1e6 / BATCH)
    return statistics.median(times_us)
