"""A made-up task for the simulator of routing rules."""

import numpy as np
from ounce_edge.recommender.beliefs.accuracy import AccuracyPrior
from ounce_edge.recommender.beliefs.plans import Plan, PlanStep

from benchmarks.routing.overhead import Overhead
from benchmarks.routing.tables import SAMPLES, SIZES, Table

OVERHEAD = Overhead(poll_ms=0.05, admit_ms=0.002, step_ms=0.05, group_ms=0.032, answer_ms=0.002)
ACCURACIES, MS = (0.8, 0.93, 0.98), (0.005, 0.02, 0.2)


def make_table() -> Table:
    """Three made-up models of two classes, and a cascade of the first and the last."""
    rng = np.random.default_rng(0)
    n = 400
    targets = rng.integers(2, size=n)
    probabilities = np.empty((3, n, 2), dtype=np.float32)
    for model, accuracy in enumerate(ACCURACIES):
        right = rng.random(n) < accuracy
        sure = np.where(right, 0.95, 0.6)
        label = np.where(right, targets, 1 - targets)
        probabilities[model, np.arange(n), label] = sure
        probabilities[model, np.arange(n), 1 - label] = 1.0 - sure
    sizes = np.array(SIZES, dtype=float)
    median = np.array([0.02 + ms * sizes for ms in MS])
    noise = rng.lognormal(0.0, 0.1, (3, len(SIZES), SAMPLES))

    def prior(accuracy: float) -> AccuracyPrior:
        classes = [500, 500], [int(500 * accuracy)] * 2, [int(500 * accuracy)] * 2
        return AccuracyPrior(accuracy, accuracy - 0.01, accuracy + 0.01, 1000, 0.7, *classes)

    plans = [Plan(f"m{i}", [PlanStep(i)], prior(a)) for i, a in enumerate(ACCURACIES)]
    plans.append(Plan("m0>m2", [PlanStep(0, 1.0, 0.9), PlanStep(2, 0.2)], prior(0.97)))
    return Table(
        task="made-up", labels=("a", "b"), models=("m0", "m1", "m2"), size_bytes=(1, 2, 3),
        plans=plans, probabilities=probabilities, targets=targets,
        times_ms=median[:, :, None] * noise, profile_p50_ms=median, profile_p99_ms=1.3 * median,
    )  # fmt: skip


TABLE = make_table()
