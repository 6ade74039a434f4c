"""Estimates of what another policy would have earned, held against simulated loggers whose truth is
known."""

import numpy as np
import pytest
from numpy.typing import NDArray
from ounce_edge.dry_run.beta_tail import beta_tail
from ounce_edge.dry_run.off_policy import REFUSED, Estimates, Logged, estimate, stack
from scipy.stats import beta

REWARD = np.array([[0.6, 0.8, 0.95], [0.3, 0.7, 0.9]])
"""Chance of a right answer, by kind of message and plan."""
LOGGER = np.array([[0.15, 0.25, 0.6], [0.1, 0.2, 0.7]])
OTHER = np.array([[0.7, 0.2, 0.1], [0.0, 0.8, 0.2]])
KINDS = [0.4, 0.6]
TRUTH = float(KINDS @ (OTHER * REWARD).sum(axis=1))
NAMES = ("inverse_propensity", "self_normalised", "doubly_robust")


def log(
    rng: np.random.Generator, n: int = 900, per_decision: int = 3
) -> tuple[Logged, NDArray[np.float64]]:
    """Messages of one decision share what was drawn, as when a worker explores."""
    decision = np.arange(n) // per_decision
    kind = rng.choice(2, n, p=KINDS)
    drawn = rng.random(n // per_decision)[decision]
    plan = (drawn[:, None] > LOGGER[kind].cumsum(axis=1)).sum(axis=1)
    right = (rng.random(n) < REWARD[kind, plan]).astype(float)
    logged = Logged(decision, plan, LOGGER[kind, plan], OTHER[kind], np.zeros(n))
    return logged, right


@pytest.fixture(scope="module")
def many() -> list[Estimates]:
    rng = np.random.default_rng(7)
    return [estimate(*log(rng)) for _ in range(1000)]


@pytest.mark.parametrize("name", NAMES)
def test_estimates_are_right_on_average_and_intervals_hold_the_truth(
    many: list[Estimates], name: str
) -> None:
    found = np.array([getattr(each, name) for each in many])
    error = found[:, 0].std() / np.sqrt(len(found))
    assert abs(found[:, 0].mean() - TRUTH) < 4 * error
    holds = (found[:, 1] <= TRUTH) & (found[:, 2] >= TRUTH)
    assert holds.mean() >= 0.93
    assert (found[:, 2] - found[:, 1]).mean() < 0.25  # else it would say nothing


def test_an_interval_that_counts_messages_alone_would_be_too_narrow(many: list[Estimates]) -> None:
    rng = np.random.default_rng(8)
    logged, right = log(rng)
    alone = Logged(np.arange(900), logged.plan, logged.chance, logged.other, logged.uncovered)
    together, apart = (estimate(each, right).inverse_propensity for each in (logged, alone))
    assert together.high - together.low > 1.1 * (apart.high - apart.low)


@pytest.mark.parametrize("n", [2, 3, 7, 60])
def test_the_recorded_policy_itself_earns_what_it_earned(n: int) -> None:
    rng = np.random.default_rng(n)
    plan, cost = rng.integers(0, 3, n), rng.random(n)
    certain = np.eye(3)[plan]
    logged = Logged(np.arange(n), plan, np.ones(n), certain, np.zeros(n))
    found = estimate(logged, cost)
    for name in ("as_it_was", *NAMES):
        assert getattr(found, name).value == pytest.approx(cost.mean())
    assert found.inverse_propensity == pytest.approx(found.as_it_was)


def test_what_the_other_policy_refuses_earns_nothing() -> None:
    n = 400
    plan = np.zeros(n, np.intp)
    other = np.zeros((n, 1))
    other[: n // 4] = 1.0
    logged = Logged(np.arange(n), plan, np.ones(n), other, np.zeros(n))
    found = estimate(logged, np.ones(n))
    for name in NAMES:
        assert getattr(found, name).value == pytest.approx(0.25)
    plan[:100] = REFUSED  # and what was refused then, and would be again
    other[:100], other[100:] = 0.0, 1.0
    found = estimate(logged, np.where(plan == REFUSED, 0.0, 1.0))
    assert found.self_normalised.value == found.as_it_was.value == pytest.approx(0.75)


def test_unknown_rewards_are_left_out_and_none_is_named() -> None:
    logged, right = log(np.random.default_rng(1))
    some = np.where(np.arange(900) % 3 == 0, np.nan, right)
    assert estimate(logged, some).n == 600
    with pytest.raises(ValueError, match="no reward is known"):
        estimate(logged, np.full(900, np.nan))


def test_messages_that_are_not_covered_are_refused() -> None:
    logged, right = log(np.random.default_rng(1))
    uncovered = np.zeros(900)
    uncovered[5] = 0.5
    part = Logged(logged.decision, logged.plan, logged.chance, logged.other, uncovered)
    with pytest.raises(ValueError, match="not covered"):
        estimate(part, right)
    assert len(part.of(part.is_covered)) == 899


def test_few_heavy_weights_are_not_enough() -> None:
    n = 500
    chance = np.full(n, 0.99)
    plan = np.ones(n, np.intp)
    plan[:4], chance[:4] = 0, 0.01
    logged = Logged(np.arange(n), plan, chance, np.tile([1.0, 0.0], (n, 1)), np.zeros(n))
    found = estimate(logged, np.ones(n))
    assert found.n_effective == pytest.approx(4)
    assert not found.is_enough


def test_files_with_other_plans_are_stacked() -> None:
    one, right = log(np.random.default_rng(1))
    wide = Logged(one.decision + 300, one.plan + 1, one.chance, np.pad(one.other, ((0, 0), (1, 0))),
                  one.uncovered)  # fmt: skip
    both = stack([one, wide])
    assert both.other.shape == (1800, 4)
    assert estimate(both, np.tile(right, 2)).n == 1800


def test_tails_are_those_of_scipy() -> None:
    rng = np.random.default_rng(3)
    parameters = 10.0 ** rng.uniform(0, 3.5, (300, 2))
    near = np.clip(rng.beta(*parameters.T) + rng.normal(0, 0.02, 300), 0, 1)
    for (a, b), x in zip(parameters.tolist(), [0.0, 1.0, *near.tolist()[2:]], strict=True):
        assert beta_tail(a, b, x) == pytest.approx(beta.sf(x, a, b), abs=1e-9)
