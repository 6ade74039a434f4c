"""No bet gains on average while a canary is no worse; one that is worse is soon found out."""

from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ounce_edge.recommender.canary.sequential_test import (
    DIFFERENCES,
    STAKES,
    Outcomes,
    bet_on_items,
    bet_on_stretch,
    log_evidence,
)

SHARES = st.floats(0, 1)
MARGINS = st.sampled_from([0.0, 0.005, 0.05, 0.3])


def probability(n: int, k: int, share: float) -> float:
    return float(comb(n, k) * share**k * (1 - share) ** (n - k))


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    baseline=SHARES,
    better_by=SHARES,
    margin=MARGINS,
    before=st.tuples(st.integers(0, 500), SHARES),
)
def test_bets_on_items_gain_nothing_on_average_where_the_canary_is_no_worse(
    sizes: tuple[int, int],
    baseline: float,
    better_by: float,
    margin: float,
    before: tuple[int, float],
) -> None:
    canary = min(max(baseline + margin - better_by, 0.0), 1.0)
    seen = Outcomes(before[0], round(before[0] * before[1]))
    capital = np.zeros(len(DIFFERENCES))
    for k in range(sizes[0] + 1):
        for m in range(sizes[1] + 1):
            chance = probability(sizes[0], k, baseline) * probability(sizes[1], m, canary)
            growth = bet_on_items(Outcomes(sizes[0], k), Outcomes(sizes[1], m), seen, margin)
            capital += chance * np.exp(growth)
    assert (capital <= 1 + 1e-9).all()


@settings(max_examples=60, deadline=None)
@given(baseline=SHARES, better_by=SHARES, margin=MARGINS, n=st.integers(1, 50))
def test_bets_on_stretches_gain_nothing_though_all_messages_of_one_fail_together(
    baseline: float, better_by: float, margin: float, n: int
) -> None:
    canary = min(max(baseline + margin - better_by, 0.0), 1.0)
    capital = np.zeros(len(STAKES))
    for fails, canary_fails in np.ndindex(2, 2):
        chance = probability(1, fails, baseline) * probability(1, canary_fails, canary)
        growth = bet_on_stretch(Outcomes(n, n * fails), Outcomes(n, n * canary_fails), margin)
        capital += chance * np.exp(growth)
    assert (capital <= 1 + 1e-9).all()


@given(
    growth=st.lists(st.floats(-700, 700), min_size=1, max_size=8),
)
def test_evidence_is_the_mean_of_the_capital(growth: list[float]) -> None:
    found = log_evidence(np.array(growth))
    assert min(growth) - 1e-9 <= found <= max(growth) + 1e-9
    assert found >= max(growth) - np.log(len(growth)) - 1e-9


def test_without_outcomes_of_both_there_is_no_evidence() -> None:
    some = Outcomes(5, 5)
    for baseline, canary in ((Outcomes(), some), (some, Outcomes())):
        assert not bet_on_items(baseline, canary, Outcomes(), 0.0).any()
        assert not bet_on_stretch(baseline, canary, 0.0).any()


@pytest.mark.parametrize(("share", "before"), [(1.0, Outcomes(9, 9)), (0.0, Outcomes(9, 0))])
def test_shares_at_their_ends_give_figures(share: float, before: Outcomes) -> None:
    block = Outcomes(1000, round(1000 * share))
    for margin in (0.0, 0.999):
        assert np.isfinite(bet_on_items(block, block, before, margin)).all()
        assert np.isfinite(bet_on_stretch(block, block, margin)).all()


def test_a_canary_that_always_fails_is_found_out_within_few_messages() -> None:
    growth = bet_on_items(Outcomes(20, 0), Outcomes(20, 20), Outcomes(), 0.01)
    assert log_evidence(growth) > np.log(80)
    stretches = sum(bet_on_stretch(Outcomes(9, 0), Outcomes(1, 1), 0.01) for _ in range(10))
    assert log_evidence(np.asarray(stretches)) > np.log(80)
