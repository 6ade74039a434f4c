"""Measuring what a model costs on this machine: the same code for cards and for start-up."""

import time
from collections.abc import Sequence

import numpy as np
from ounce_schemas.card import LatencyAtBatch

from ounce_edge.models.runtimes.base import Inputs, LoadedModel

BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
SPENT = 1.0
"""Share of the time that callers give: with less of it, figures are rougher and come sooner."""


def measure_latency(
    model: LoadedModel,
    sample: Inputs,
    *,
    batch_sizes: Sequence[int] = BATCH_SIZES,
    seconds: float = 1.0,
    least_calls: int = 5,
    most_calls: int = 400,
) -> list[LatencyAtBatch]:
    """Time calls of `model` at each batch size.

    Args:
        model: what to measure.
        sample: inputs by name with at least one item; repeated to fill a batch.
        batch_sizes: items per call, ascending.
        seconds: time to spend, shared evenly by the batch sizes.
        least_calls: timed calls per batch size even when the time is up.
        most_calls: timed calls per batch size even when time is left.

    Returns:
        Median and 99th percentile of the time of one call, in milliseconds, per batch size.
    """
    results = []
    for batch_size in batch_sizes:
        batch = {
            name: np.resize(array, (batch_size, *array.shape[1:])) for name, array in sample.items()
        }
        for _ in range(2):
            model.run(batch)
        times_ms: list[float] = []
        end = time.perf_counter() + SPENT * seconds / len(batch_sizes)
        while len(times_ms) < most_calls:
            start = time.perf_counter()
            model.run(batch)
            now = time.perf_counter()
            times_ms.append((now - start) * 1e3)
            if now > end and len(times_ms) >= least_calls:
                break
        p50, p99 = np.percentile(times_ms, [50, 99])
        results.append(LatencyAtBatch(batch_size=batch_size, p50_ms=float(p50), p99_ms=float(p99)))
    return results
