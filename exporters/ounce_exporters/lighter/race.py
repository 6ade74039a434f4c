"""How long a model takes against another, both in turn, so that noise hits both."""

import time

import numpy as np
from ounce_edge.models.runtimes.base import Inputs, LoadedModel

BATCH_SIZES = (1, 32)
_ROUNDS = 9
_ROUND_S = 0.01
"""Of one model in one round, about; at least one call."""


def race(challenger: LoadedModel, original: LoadedModel, sample: Inputs) -> dict[int, float]:
    """Time of the challenger's calls as a multiple of the original's, by items of a call.

    Args:
        challenger: one model.
        original: the other.
        sample: inputs by name with at least one item; repeated to fill a batch.
    """
    found = {}
    for size in BATCH_SIZES:
        batch = {name: np.resize(array, (size, *array.shape[1:])) for name, array in sample.items()}
        for model in (original, challenger):
            model.run(batch)
        rounds = [(_call_s(challenger, batch), _call_s(original, batch)) for _ in range(_ROUNDS)]
        quickest, of_original = (min(times_s) for times_s in zip(*rounds, strict=True))
        found[size] = quickest / of_original
    return found


def _call_s(model: LoadedModel, batch: Inputs) -> float:
    """Time of the quickest call, seconds: what else runs on the machine only adds to it."""
    quickest_s = float("inf")
    end = time.perf_counter() + _ROUND_S
    while True:
        start = time.perf_counter()
        model.run(batch)
        now = time.perf_counter()
        quickest_s = min(quickest_s, now - start)
        if now > end:
            return quickest_s
