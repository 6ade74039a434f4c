"""Evidence of models that were never trained: what they cost, and where they are right."""

from collections.abc import Sequence

import numpy as np
from ounce_exporters.cascades.evidence import Evidence
from ounce_exporters.cascades.search import (
    Search,
    find_cascades,
    stratified_folds,
)
from ounce_exporters.ladder.recipe import Split
from ounce_schemas.card import LatencyAtBatch
from ounce_schemas.task import TaskSpec, TensorSpec

LABELS = ("a", "b", "c", "d")
TASK = TaskSpec(
    name="four-classes",
    kind="classification",
    description="Made for a test.",
    inputs=(TensorSpec(name="input", datatype="FP32", shape=(1,)),),
    labels=LABELS,
)


def latency(ms: float) -> tuple[LatencyAtBatch, ...]:
    """A call of n items takes ms * (1 + n) / 2: half of a single call is overhead."""
    return tuple(
        LatencyAtBatch(batch_size=n, p50_ms=ms * (1 + n) / 2, p99_ms=ms * n) for n in (1, 32, 256)
    )


def model(
    name: str, ms: float, right: Sequence[bool], confidence: Sequence[float] | None = None
) -> Evidence:
    return Evidence(
        name,
        "0" * 64,
        latency(ms),
        np.array(right, dtype=np.bool_),
        None if confidence is None else np.array(confidence, np.float64),
    )


def simulated(rng: np.random.Generator, n: int) -> list[Evidence]:
    """Four models with calibrated confidences, each twice as dear and more often right; items that
    are hard for one are hard for the others."""
    ease = rng.normal(size=n)
    ladder = []
    for k, skill in enumerate((1.2, 2.0, 2.8, 3.4)):
        chance = 1 / (1 + np.exp(-(skill + 1.5 * ease + rng.normal(size=n))))
        ladder.append(model(f"m{k}", 0.01 * 4**k, rng.random(n) < chance, chance.tolist()))
    return ladder


def coin_flips(rng: np.random.Generator, n: int) -> list[Evidence]:
    """Four models that are right with probability 0.7, whatever their confidence says."""
    return [
        model(f"m{k}", 0.01 * 2**k, rng.random(n) < 0.7, rng.random(n).tolist()) for k in range(4)
    ]


def find(models: Sequence[Evidence], seed: int = 0) -> Search:
    targets = np.arange(len(models[0].right)) % len(LABELS)
    return find_cascades(models, stratified_folds(targets, seed), lambda share: None)


def items(n: int) -> Split:
    return Split({"input": np.zeros((n, 1), np.float32)}, np.arange(n) % len(LABELS))
