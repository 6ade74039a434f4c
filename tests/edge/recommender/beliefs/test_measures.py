"""Measures: what counts, their values, and lower bounds that hold."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ounce_edge.recommender.beliefs.accuracy import AccuracyBeliefs, AccuracyPrior
from ounce_edge.recommender.beliefs.measures import (
    FEWEST_ITEMS,
    PLAIN,
    Strata,
    wilson,
    wilson_of_few,
)

RECALL, F1, BALANCED = (
    Strata("recall", 1, 3),
    Strata("f1", 1, 3),
    Strata("balanced-accuracy", None, 3),
)
PREDICTED = np.array([0, 1, 1, 2, 0, 1])
TRUTH = np.array([0, 1, 0, 2, 1, 2])


def value(strata: Strata, predicted: np.ndarray, truth: np.ndarray) -> float:
    good, counted = strata.count(predicted == truth, strata.of(predicted, truth))
    return strata.value(good / np.maximum(counted, 1), counted)


@pytest.mark.parametrize(
    ("strata", "counts", "expected"),
    [
        (PLAIN, [0, 0, 0, 0, 0, 0], 3 / 6),
        (RECALL, [-1, 0, -1, -1, 0, -1], 1 / 2),
        (F1, [-1, 0, 0, -1, 0, 0], 2 * 1 / (2 * 1 + 2 + 1)),
        (BALANCED, [0, 1, 0, 2, 1, 2], (1 / 2 + 1 / 2 + 1 / 2) / 3),
    ],
)
def test_each_measure_counts_its_answers(
    strata: Strata, counts: list[int], expected: float
) -> None:
    assert strata.of(PREDICTED, TRUTH).tolist() == counts
    assert value(strata, PREDICTED, TRUTH) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("hits", "n", "ends"),
    [
        (81, 263, (0.2553, 0.3662)),
        (15, 148, (0.0624, 0.1605)),
        (0, 20, (0.0, 0.1611)),
        (1, 29, (0.0061, 0.1718)),
    ],
)
def test_the_interval_is_the_published_one(hits: int, n: int, ends: tuple[float, float]) -> None:
    """Table I of Newcombe (1998), method 3."""
    assert wilson(hits / n, n) == pytest.approx(ends, abs=5e-5)


@given(st.integers(1, 10**6), st.floats(0, 1))
def test_the_interval_holds_the_share_and_stays_in_range(n: int, share: float) -> None:
    low, high = wilson(round(n * share) / n, n)
    assert 0 <= low <= round(n * share) / n <= high <= 1
    assert wilson(share, 0) == (0.0, 1.0)


def test_the_interval_of_few_is_the_published_one() -> None:
    """Table I of Newcombe (1998), method 4."""
    assert wilson_of_few(81 / 263, 263) == pytest.approx((0.2535, 0.3682), abs=5e-5)
    assert wilson_of_few(15 / 148, 148) == pytest.approx((0.0598, 0.1644), abs=5e-5)
    assert wilson_of_few(1.0, FEWEST_ITEMS - 1) == (0.0, 1.0)


def binomial(n: int, p: float) -> np.ndarray:
    k = np.arange(n + 1)
    logs = [math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1) for i in k]
    return np.asarray(np.exp(np.array(logs) + k * math.log(p) + (n - k) * math.log1p(-p)))


@pytest.mark.parametrize("n", [3, 6, 10, 24, 80, 400])
@pytest.mark.parametrize("strata", [RECALL, F1])
def test_a_promise_of_one_class_holds_in_95_of_100_draws_whatever_the_truth(
    strata: Strata, n: int
) -> None:
    lows = np.array([strata.interval([k / n], [n])[0] for k in range(n + 1)])
    for p in (0.003, 0.02, 0.1, 0.3, 0.5, 0.7, 0.85, 0.93, 0.97, 0.99, 0.999):
        truth = strata.value([p], [n])
        assert binomial(n, p)[lows > truth].sum() <= 0.05, (n, p)


@pytest.mark.parametrize(
    ("recalls", "n"),
    [
        ((0.999, 0.5, 0.9), (2000, 12, 60)),
        ((0.99, 0.95, 0.97), (900, 8, 30)),
        ((0.9, 0.9, 0.9), (40, 40, 40)),
        ((0.98, 0.05, 0.6), (400, 20, 20)),
        ((0.995, 0.99, 0.3), (1000, 200, 5)),
    ],
)
def test_a_promise_of_all_classes_holds_in_95_of_100_draws(
    recalls: tuple[float, ...], n: tuple[int, ...]
) -> None:
    rng = np.random.default_rng(0)
    draws = rng.binomial(n, recalls, size=(2000, 3)) / n
    lows = np.array([BALANCED.interval(shares, n)[0] for shares in draws])
    assert (lows <= np.mean(recalls)).mean() >= 0.95


def test_a_class_without_any_item_may_have_any_recall() -> None:
    low, high = BALANCED.interval([0.9, 0.9, 0.0], [10_000, 10_000, 0])
    assert BALANCED.value([0.9, 0.9, 0.0], [10_000, 10_000, 0]) == pytest.approx(0.9)
    assert low == pytest.approx(0.6, abs=0.01)
    assert high == pytest.approx(0.9 * 2 / 3 + 1 / 3, abs=0.01)


def prior(strata: Strata, share: float, n: int, classes: tuple[int, ...] = ()) -> AccuracyPrior:
    counted = classes if len(classes) == strata.n else [n]
    value_ = strata.value([share] * strata.n, counted)
    low, high = strata.interval([share] * strata.n, counted)
    good = [round(share * each) for each in classes]
    return AccuracyPrior(value_, low, high, n, 0.5, classes, good, good)


@pytest.mark.parametrize("strata", [RECALL, F1])
def test_labels_move_the_belief_of_a_class(strata: Strata) -> None:
    beliefs = AccuracyBeliefs([prior(strata, 0.8, 50)], strata)
    before = beliefs.low[0]
    beliefs.observe_labels(0, 20, 60, 1.0)
    beliefs.refresh(1.0)
    assert beliefs.value[0] == pytest.approx(strata.value([0.25], [80]))
    assert beliefs.low[0] == pytest.approx(strata.interval([0.25], [80])[0])
    assert beliefs.low[0] < before
    assert beliefs.moved[0]


def test_labels_of_one_class_move_its_share_of_balanced_accuracy_alone() -> None:
    beliefs = AccuracyBeliefs([prior(BALANCED, 0.9, 1100, (1000, 50, 50))], BALANCED)
    assert beliefs.value[0] == pytest.approx(0.9)
    beliefs.observe_labels(0, 30, 70, 1.0, stratum=1)
    beliefs.refresh(1.0)
    assert beliefs.value[0] == pytest.approx((0.9 + 0.3 + 0.9) / 3)


def test_a_posterior_is_as_sure_as_its_least_known_classes() -> None:
    beliefs = AccuracyBeliefs([prior(BALANCED, 0.9, 1100, (1000, 50, 50))], BALANCED)
    n = 3**2 / (1 / 1000 + 1 / 50 + 1 / 50)
    assert beliefs.posterior(0) == pytest.approx((0.9 * n + 1.0, 0.1 * n + 1.0))


def test_classes_none_of_whose_answers_were_right_have_shares_of_none() -> None:
    assert BALANCED.shares_of(0.0, [10, 10, 10], [0, 0, 0]).tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("strata", [RECALL, F1])
def test_agreeing_labels_make_a_promise_surer(strata: Strata) -> None:
    beliefs = AccuracyBeliefs([prior(strata, 0.8, 50)], strata)
    before = beliefs.low[0]
    beliefs.observe_labels(0, 160, 40, 1.0)
    beliefs.refresh(1.0)
    assert beliefs.value[0] == pytest.approx(strata.value([0.8], [250]))
    assert beliefs.low[0] > before + 0.05


def test_confident_answers_say_nothing_of_a_rare_class() -> None:
    beliefs = AccuracyBeliefs([prior(RECALL, 0.8, 50, (1000, 50, 50))], RECALL)
    hesitant = np.tile(np.array([0.4, 0.3, 0.3], np.float32), (2000, 1))
    beliefs.observe_answers(0, hesitant)
    beliefs.refresh(1.0)
    assert beliefs.value[0] == pytest.approx(0.8)
    assert not beliefs.moved[0]
