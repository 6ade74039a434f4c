"""Promises from answers that tell of each other, and of plans by each measure."""

from typing import Any

import numpy as np
import pytest
from ounce_edge.recommender.beliefs.measures import PLAIN, Strata
from ounce_exporters.evaluation.promises import design_effect, estimate


def stretches(rng: Any, n_clusters: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Answers of which 0.9 are right, in stretches that go well or badly together."""
    shares = rng.beta(4.5, 0.5, n_clusters)
    right = rng.random((n_clusters, size)) < shares[:, None]
    return right.ravel(), np.repeat(np.arange(n_clusters), size)


def test_a_promise_from_stretches_of_time_holds_in_95_of_100_draws() -> None:
    rng = np.random.default_rng(0)
    with_clusters, without = [], []
    for _ in range(400):
        right, clusters = stretches(rng, 20, 60)
        counts = np.zeros(len(right), np.intp)
        with_clusters.append(estimate(PLAIN, right, counts, clusters).low <= 0.9)
        without.append(estimate(PLAIN, right, counts).low <= 0.9)
    assert np.mean(with_clusters) >= 0.95
    assert np.mean(without) < 0.9  # as if each row told something of its own


def test_independent_items_lose_little_to_clusters() -> None:
    rng = np.random.default_rng(1)
    right, clusters = rng.random(2000) < 0.9, np.arange(2000) // 100
    counts = np.zeros(2000, np.intp)
    assert design_effect(right, counts, np.array([right.mean()]), clusters) < 2.5
    assert estimate(PLAIN, right, counts, clusters).low > 0.87


def test_one_cluster_tells_as_much_as_one_item() -> None:
    recall = Strata("recall", 1, 2)
    right = np.array([True, False] * 20)
    promised = estimate(recall, right, np.zeros(40, np.intp), np.zeros(40, np.int64))
    assert (promised.value, promised.low, promised.n) == (0.5, 0.0, 1)


@pytest.mark.parametrize("kind", ["accuracy", "recall", "f1", "balanced-accuracy"])
def test_luck_is_taken_off(kind: str) -> None:
    strata = Strata(kind, None if "accuracy" in kind else 0, 2)
    right, stratum = np.arange(200) % 10 > 0, np.arange(200) % strata.n
    lucky, fair = (estimate(strata, right, stratum, less=less) for less in (0.0, 0.05))
    assert fair.value == pytest.approx(lucky.value - 0.05)
    assert fair.low < lucky.low - 0.03
    assert fair.low < fair.value < fair.high
