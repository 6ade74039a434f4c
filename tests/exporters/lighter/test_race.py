"""Two models are timed in turn."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from ounce_edge.models.runtimes.base import Inputs, TensorSignature
from ounce_exporters.lighter.race import BATCH_SIZES, race


class Noted:
    """Notes the sizes of its batches, among those of another."""

    def __init__(self, name: str, calls: list[tuple[str, int]]) -> None:
        self._name, self._calls = name, calls
        self.inputs: dict[str, TensorSignature] = {}
        self.outputs: dict[str, TensorSignature] = {}

    def run(self, inputs: Inputs) -> NDArray[np.float32]:
        self._calls.append((self._name, len(inputs["input"])))
        return np.zeros((len(inputs["input"]), 1), np.float32)


def test_a_race_times_both_in_turn_at_each_size() -> None:
    calls: list[tuple[str, int]] = []
    sample = {"input": np.zeros((3, 4), np.float32)}
    ratios = race(Noted("light", calls), Noted("whole", calls), sample)
    assert tuple(ratios) == BATCH_SIZES
    assert all(ratio > 0 for ratio in ratios.values())
    assert {size for _, size in calls} == set(BATCH_SIZES)
    turns = [a for a, b in pairwise(calls) if a[0] != b[0]]
    assert len(turns) > 10
