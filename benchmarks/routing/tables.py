"""What the models of a ladder answer and how long they take: measured once, then drawn from."""

import random
import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from ounce_edge.models.catalogue import Ladder, load_ladder
from ounce_edge.models.first_beliefs import measured_belief
from ounce_edge.models.planning import make_plans
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_edge.recommender.beliefs.latency import LatencyBelief
from ounce_edge.recommender.beliefs.plan_beliefs import Plans
from ounce_edge.recommender.beliefs.plans import Model, Plan
from ounce_schemas.documents import TEST_SPLIT_FILE
from ounce_schemas.policy import Policy

SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
"""Batch sizes that are measured; 512 rows are the most of one call of the runtime."""
SAMPLES = 120
"""Times kept per model and batch size."""
SECONDS_PER_CELL = 0.25
"""Measured for at most this long, but `FEWEST` times."""
FEWEST = 8


@dataclass(frozen=True)
class Answers:
    """What every model of a ladder answers to some items."""

    right: NDArray[np.bool_]
    """Whether a model's answer is right: shape (n_models, n_items)."""
    confidence: NDArray[np.float32]
    """Greatest calibrated probability, likewise."""

    @classmethod
    def of(cls, probabilities: NDArray[np.float32], targets: NDArray[np.intp]) -> Self:
        """From probabilities of shape (n_models, n_items, n_labels) and the true classes."""
        return cls(probabilities.argmax(axis=2) == targets, probabilities.max(axis=2))

    def of_plan(self, plan: Plan) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """What a plan achieves when it is never cut short.

        Returns:
            Whether each item is answered rightly, and the share of items that reach each step.
        """
        right = np.zeros(self.right.shape[1], dtype=bool)
        left = np.arange(len(right))
        reach = []
        for step in plan.steps:
            reach.append(len(left) / len(right))
            sure = (
                np.ones(len(left), dtype=bool)
                if step.threshold is None
                else self.confidence[step.model, left] >= step.threshold
            )
            right[left[sure]] = self.right[step.model, left[sure]]
            left = left[~sure]
        return right, np.array(reach)


@dataclass(frozen=True)
class Table:
    """One task, as the simulation needs it. Models and plans are in the order of the ladder."""

    task: str
    labels: Sequence[str]
    models: Sequence[str]
    size_bytes: Sequence[int]
    plans: Sequence[Plan]
    """Every single model, in the order of `models`, then the planned cascades."""
    probabilities: NDArray[np.float32]
    """Of the test split: shape (n_models, n_items, n_labels)."""
    targets: NDArray[np.intp]
    """True class per item, shape (n_items,)."""
    times_ms: NDArray[np.float64]
    """Time of single calls: shape (n_models, n_sizes, `SAMPLES`)."""
    profile_p50_ms: NDArray[np.float64]
    """As a worker measures it when it starts: shape (n_models, n_sizes)."""
    profile_p99_ms: NDArray[np.float64]

    @cached_property
    def answers(self) -> Answers:
        """To the test split."""
        return Answers.of(self.probabilities, self.targets)

    def fresh_plans(self) -> Plans:
        """The plans with the beliefs of a worker that has just started."""
        models = [
            Model(name, size, LatencyBelief(SIZES, p50, p99))
            for name, size, p50, p99 in zip(
                self.models,
                self.size_bytes,
                self.profile_p50_ms.tolist(),
                self.profile_p99_ms.tolist(),
                strict=True,
            )
        ]
        return Plans(models, self.plans)


def measure_table(models_dir: Path, task: str) -> Table:
    """Run every model of a ladder on its test split, and time its calls."""
    ladder = load_ladder(models_dir, task, OnnxCpuRuntime(1))
    with np.load(models_dir / task / TEST_SPLIT_FILE, allow_pickle=False) as split:
        inputs = {t.name: split[t.name] for t in ladder.task.inputs}
        targets = np.asarray(split["targets"], dtype=np.intp)
    plain = [replace(model, explained=None) for model in ladder.models]
    ladder = replace(ladder, models=plain)  # answers without explanations
    plans, served = make_plans(ladder, Policy().for_task(task), measured_belief)
    sizes = np.array(SIZES, dtype=np.float64)
    return Table(
        task=task,
        labels=ladder.task.labels,
        models=[m.name for m in plans.models],
        size_bytes=[m.size_bytes for m in plans.models],
        plans=plans.plans,
        probabilities=np.stack([s.loaded.run(inputs) for s in served]),
        targets=targets,
        times_ms=_times(ladder, inputs),
        profile_p50_ms=np.stack([m.latency.profile_ms(sizes) for m in plans.models]),
        profile_p99_ms=np.stack([m.latency.p99_ms(sizes) for m in plans.models]),
    )


def _times(ladder: Ladder, inputs: dict[str, Any]) -> NDArray[np.float64]:
    """Time calls of all models in random order, as in a worker: each call finds the caches as
    another model left them. Calls during which the kernel gave the core to another process are
    measured again: the simulated server has its core for itself.

    Returns:
        Milliseconds, shape (n_models, n_sizes, `SAMPLES`).
    """
    rng = random.Random(0)
    n_items = len(next(iter(inputs.values())))
    batches = {n: {k: np.take(a, np.arange(n) % n_items, axis=0) for k, a in inputs.items()}
               for n in SIZES}  # fmt: skip
    cells = [(m, k) for m in range(len(ladder.models)) for k in range(len(SIZES))]
    found: dict[tuple[int, int], list[float]] = {cell: [] for cell in cells}
    spent = dict.fromkeys(cells, 0.0)
    while cells:
        rng.shuffle(cells)
        for m, k in cells:
            switches = resource.getrusage(resource.RUSAGE_THREAD).ru_nivcsw
            start = time.perf_counter()
            ladder.models[m].loaded.run(batches[SIZES[k]])
            elapsed_ms = (time.perf_counter() - start) * 1e3
            spent[m, k] += elapsed_ms / 1e3
            interrupted = resource.getrusage(resource.RUSAGE_THREAD).ru_nivcsw > switches
            if not interrupted or spent[m, k] > 2 * SECONDS_PER_CELL:
                found[m, k].append(elapsed_ms)
        cells = [
            c
            for c in cells
            if len(found[c]) < FEWEST or (len(found[c]) < SAMPLES and spent[c] < SECONDS_PER_CELL)
        ]
    return np.array(
        [
            [np.resize(found[m, k][1:], SAMPLES) for k in range(len(SIZES))]  # the first warms up
            for m in range(len(ladder.models))
        ]
    )


class ServiceTimes:
    """Draws the time of one call.

    Args:
        table: samples of a tight loop.
        rng: draws.
        excess_ms: per model, times of single calls over the table's median, where calls in service
            were seen: they are drawn then, and added to the median.
    """

    def __init__(
        self,
        table: Table,
        rng: np.random.Generator,
        excess_ms: Sequence[NDArray[np.float64]] = (),
    ) -> None:
        self._times = table.times_ms
        self._excess_ms = excess_ms
        self._medians = np.maximum.accumulate(np.median(table.times_ms, axis=2), axis=1)
        self._rng = rng

    def draw_ms(self, model: int, n_items: int) -> float:
        """Time of a call with `n_items`: a sample of the nearest measured batch size, scaled by the
        medians to this one; of more than 512 rows, as many calls as the runtime makes."""
        if self._excess_ms:
            median_ms = self.median_ms(model, n_items)
            excess_ms = float(self._rng.choice(self._excess_ms[model]))
            return max(median_ms + excess_ms, float(self._times[model, 0].min()))
        most = SIZES[-1]
        if n_items > most:
            return self.draw_ms(model, most) + self.draw_ms(model, n_items - most)
        k = n_items.bit_length() - 1
        medians = self._medians[model]
        if SIZES[k] == n_items:
            nearest, factor = k, 1.0
        else:
            share = n_items / SIZES[k] - 1.0
            median = medians[k] + share * (medians[k + 1] - medians[k])
            nearest = k if share < 0.5 else k + 1
            factor = median / medians[nearest]
        return float(self._times[model, nearest, self._rng.integers(SAMPLES)] * factor)

    def median_ms(self, model: int, n_items: int) -> float:
        """The median of `draw_ms`."""
        most = SIZES[-1]
        whole, rest = divmod(n_items, most)
        medians = self._medians[model]
        return float(whole * medians[-1] + (np.interp(rest, SIZES, medians) if rest else 0.0))
