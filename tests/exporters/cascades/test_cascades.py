"""Cascades: bounds that hold, accuracies that are not flattered by choosing."""

import numpy as np
import pytest
from ounce_exporters.cascades.cost import expected_ms
from ounce_exporters.cascades.counting import count
from ounce_exporters.cascades.evidence import answer
from ounce_exporters.cascades.frontier import MOST, choose_few, frontier
from ounce_exporters.cascades.guarantee import error_upper_bound
from ounce_exporters.cascades.planning import make_plans
from ounce_exporters.cascades.search import (
    FOLDS,
    sequences,
    stratified_folds,
    threshold_grid,
)

from tests.support.exporters.evidence import (
    TASK,
    coin_flips,
    find,
    items,
    latency,
    model,
    simulated,
)


@pytest.mark.parametrize(
    ("wrong", "n", "bound"),
    [
        (0, 10, 0.2589),  # 1 - 0.05^(1/10)
        (1, 10, 0.3942),
        (5, 10, 0.7776),
        (10, 10, 1.0),
        (0, 100, 0.02951),
        (3, 100, 0.07571),
    ],
)
def test_the_bound_is_clopper_pearsons(wrong: int, n: int, bound: float) -> None:
    assert error_upper_bound(wrong, n, considered=1) == pytest.approx(bound, abs=5e-5)


def test_the_bound_is_corrected_for_all_that_was_considered() -> None:
    # Without errors: 1 - (0.05 / 1000)^(1 / 100).
    assert error_upper_bound(0, 100, considered=1000) == pytest.approx(1 - 5e-5 ** (1 / 100))
    assert error_upper_bound(0, 0, considered=1) == 1


def test_the_bound_holds_for_the_threshold_that_looks_best() -> None:
    """Of 20 thresholds the one with the least bound is taken; errors do not depend on confidence,
    so that its true error is that of all."""
    rng = np.random.default_rng(0)
    n, error, runs = 400, 0.1, 500
    missed = {1: 0, 20: 0}
    accepted = np.arange(20, n + 1, 20)
    for _ in range(runs):
        errors = np.cumsum(rng.random(n) < error)[accepted - 1]  # most confident first
        for considered in missed:
            least = min(
                error_upper_bound(int(wrong), int(taken), considered)
                for wrong, taken in zip(errors, accepted, strict=True)
            )
            missed[considered] += least < error
    assert missed[20] <= 0.05 * runs
    assert missed[1] > 0.1 * runs  # without the correction it would not hold


def test_counting_agrees_with_answering_item_by_item() -> None:
    sequence = simulated(np.random.default_rng(0), 300)[:3]
    grids = [threshold_grid(m) for m in sequence[:-1]]
    folds = stratified_folds(np.arange(300) % 4, 0)
    counts = count(sequence, grids, folds, FOLDS)
    for i, j in ((0, 0), (3, 7), (len(grids[0]) - 1, len(grids[1]) - 1)):
        answers = answer(sequence, [grids[0][i], grids[1][j]])
        for k in range(3):
            reached = np.bincount(folds[answers.step >= k], minlength=FOLDS)
            right = np.bincount(folds[(answers.step == k) & answers.right], minlength=FOLDS)
            answered = np.bincount(folds[answers.step == k], minlength=FOLDS)
            assert counts.reached[k, :, i, j].tolist() == reached.tolist()
            assert counts.right[k, :, i, j].tolist() == right.tolist()
            assert counts.answered[k, :, i, j].tolist() == answered.tolist()


def test_cost_by_hand() -> None:
    light, heavy = latency(1.0), latency(10.0)
    # Of 32 items a quarter goes on: a call of 8 takes 10 * 4.5 ms.
    assert expected_ms([light, heavy], [1.0, 0.25], 32) == pytest.approx((16.5 + 45) / 32)
    # Of 32 items a hundredth goes on: a third of a call of one.
    assert expected_ms([light, heavy], [1.0, 0.01], 32) == pytest.approx(16.5 / 32 + 0.1)
    assert expected_ms([light, heavy], [1.0, 0.25], 1) == pytest.approx(1 + 2.5)


def test_folds_are_stratified_and_fixed_by_the_seed() -> None:
    targets = np.repeat([0, 1, 2], [100, 50, 7])
    folds = stratified_folds(targets, 3)
    for label in range(3):
        sizes = np.bincount(folds[targets == label], minlength=FOLDS)
        assert sizes.max() - sizes.min() <= 1
    assert (folds == stratified_folds(targets, 3)).all()
    assert (folds != stratified_folds(targets, 4)).any()


def test_sequences_rise_in_cost_and_never_fall_in_accuracy() -> None:
    light = model("light", 1, [True, False, False, False], [0.5] * 4)
    dear_and_bad = model("dear-and-bad", 2, [False] * 4, [0.5] * 4)
    heavy = model("heavy", 4, [True] * 4, [0.5] * 4)
    names = [[m.model for m in s] for s in sequences([heavy, dear_and_bad, light])]
    assert names == [["dear-and-bad", "heavy"], ["light", "heavy"]]


def test_thresholds_can_be_read() -> None:
    confidence = 1 - np.geomspace(0.7, 1e-6, 500)
    grid = threshold_grid(model("m", 1, [True] * 500, confidence.tolist()))
    assert (np.diff(grid) > 0).all()
    assert all(len(f"{1 - t:.2g}".rstrip("0")) <= 7 and t == round(t, 7) for t in grid)
    assert threshold_grid(model("m", 1, [True] * 9, [1.0] * 9)).tolist() == [1.0]


def test_coin_flips_gain_nothing() -> None:
    """In the sample the best cascade looks better than it can be; cross-fitted it does not."""
    flattered, honest = [], []
    for seed in range(40):
        found = find(coin_flips(np.random.default_rng(seed), 500), seed).cascades
        in_sample = [answer(c.final.sequence, c.final.thresholds).right.mean() for c in found]
        best = int(np.argmax(in_sample))
        flattered.append(in_sample[best])
        honest.append(found[best].accuracy)
    assert np.mean(flattered) > 0.71
    assert abs(np.mean(honest) - 0.7) < 0.01


def test_kept_cascades_are_as_accurate_as_they_say() -> None:
    """On 30 ladders, against the accuracy on fresh items."""
    surplus = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        models, fresh = simulated(rng, 1000), {m.model: m for m in simulated(rng, 20_000)}
        kept = choose_few(frontier(find(models, seed).cascades, models), models)
        assert 1 <= len(kept) <= MOST
        luck = np.mean([m.accuracy - fresh[m.model].accuracy for m in models])
        surplus += [
            cascade.accuracy
            - answer(
                [fresh[m.model] for m in cascade.final.sequence], cascade.final.thresholds
            ).right.mean()
            - luck
            for cascade in kept
        ]
    assert abs(np.mean(surplus)) < 0.004


def test_a_light_model_that_knows_what_it_knows_saves_the_heavy_one() -> None:
    models = simulated(np.random.default_rng(1), 5000)
    best = models[-1]
    plans = make_plans(TASK, items(5000), models, 0)
    saving = [
        plan
        for plan in plans.plans
        if plan.is_cascade and plan.accuracy.value >= best.accuracy - 0.002
    ]
    assert saving
    reach = [step.reach for step in saving[-1].steps]
    assert expected_ms(
        [latency(0.01 * 4 ** int(step.model[1:])) for step in saving[-1].steps], reach, 1
    ) < 0.6 * float(expected_ms([best.latency], [1.0], 1))
