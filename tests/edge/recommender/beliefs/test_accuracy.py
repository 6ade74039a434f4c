"""What is believed of accuracy: validation data at first, then labels and recent inputs."""

import numpy as np
import pytest
from ounce_edge.recommender.beliefs.accuracy import (
    LABEL_HALF_LIFE_S,
    ROWS,
    AccuracyBeliefs,
    AccuracyPrior,
)
from ounce_edge.recommender.beliefs.measures import Strata, wilson

N = 1000


def prior(easy: float, hard: float) -> AccuracyPrior:
    value = (easy + hard) / 2
    low, high = wilson(value, N)
    counts = [round(N / 2 * easy), round(N / 2 * hard)]
    return AccuracyPrior(value, low, high, N, 0.8, [N // 2, N // 2], counts, counts)


@pytest.fixture
def beliefs() -> AccuracyBeliefs:
    return AccuracyBeliefs([prior(0.98, 0.82), prior(0.99, 0.97)])


LIGHT, HEAVY = 0, 1


def answers(n: int, share_hard: float, accuracy: tuple[float, float], seed: int = 0):
    """Calibrated probabilities: confident (0.95) about as often as right, else 0.6."""
    rng = np.random.default_rng(seed)
    hard = rng.random(n) < share_hard
    sure = rng.random(n) < np.where(hard, accuracy[1], accuracy[0])
    p_true = np.where(sure, 0.95, 0.6)
    return np.column_stack([np.where(hard, 1 - p_true, p_true),
                            np.where(hard, p_true, 1 - p_true)]).astype(np.float32)  # fmt: skip


def feed(beliefs: AccuracyBeliefs, plan: int, probabilities: np.ndarray) -> None:
    for start in range(0, len(probabilities), 50):
        beliefs.observe_answers(plan, probabilities[start : start + 50])


def test_without_evidence_the_prior_holds_exactly(beliefs: AccuracyBeliefs) -> None:
    beliefs.refresh(0.0)
    assert beliefs.low[LIGHT] == pytest.approx(wilson(0.9, N)[0])
    assert not beliefs.moved.any()


@pytest.mark.parametrize("seed", range(20))
def test_inputs_like_validation_data_move_nothing(beliefs: AccuracyBeliefs, seed: int) -> None:
    feed(beliefs, LIGHT, answers(2000, 0.5, (0.98, 0.82), seed))
    beliefs.refresh(1.0)
    assert beliefs.value == pytest.approx([0.9, 0.98])
    assert not beliefs.moved.any()


def test_a_shift_of_the_mix_moves_every_plan_by_its_classes(beliefs: AccuracyBeliefs) -> None:
    feed(beliefs, LIGHT, answers(2000, 0.9, (0.98, 0.82)))
    beliefs.refresh(1.0)
    assert beliefs.moved.tolist() == [True, False]  # outside what validation data allows
    assert beliefs.value[LIGHT] == pytest.approx(0.9 * 0.82 + 0.1 * 0.98, abs=0.02)
    assert beliefs.value[HEAVY] == pytest.approx(0.9 * 0.97 + 0.1 * 0.99, abs=0.01)  # never ran
    assert (beliefs.low < beliefs.value).all()
    feed(beliefs, LIGHT, answers(4000, 0.5, (0.98, 0.82)))
    beliefs.refresh(2.0)
    assert beliefs.value == pytest.approx([0.9, 0.98])  # and back


def test_a_shift_that_is_over_is_forgotten(beliefs: AccuracyBeliefs) -> None:
    feed(beliefs, LIGHT, answers(1000, 0.9, (0.98, 0.82)))
    beliefs.refresh(1.0)
    assert beliefs.moved[LIGHT]
    feed(beliefs, LIGHT, answers(1050, 0.5, (0.98, 0.82)))
    beliefs.refresh(2.0)
    assert beliefs.value == pytest.approx([0.9, 0.98])
    assert not beliefs.moved.any()


def test_the_latest_answers_count_however_they_came() -> None:
    seen = np.concatenate(
        [answers(ROWS, 0.5, (0.98, 0.82)), answers(ROWS // 2 + 7, 0.9, (0.98, 0.82))]
    )
    values = []
    for n_each in (1, 7, 50, 64):
        beliefs = AccuracyBeliefs([prior(0.98, 0.82), prior(0.99, 0.97)])
        for start in range(0, len(seen), n_each):
            beliefs.observe_answers(LIGHT, seen[start : start + n_each])
        beliefs.refresh(1.0)
        values.append(beliefs.value.tolist())
    assert values[0] != pytest.approx([0.9, 0.98])
    assert values[1:] == [pytest.approx(values[0], abs=1e-9)] * 3


def test_lost_confidence_is_lost_accuracy(beliefs: AccuracyBeliefs) -> None:
    feed(beliefs, LIGHT, answers(3000, 0.5, (0.78, 0.62)))
    beliefs.refresh(1.0)
    assert beliefs.value[LIGHT] == pytest.approx(0.7, abs=0.05)
    assert beliefs.value[HEAVY] < 0.85  # what does not run is believed to have lost as much


def test_labels_that_agree_make_a_belief_surer(beliefs: AccuracyBeliefs) -> None:
    before = beliefs.low[LIGHT]
    beliefs.observe_labels(LIGHT, 900, 100, 1.0)
    beliefs.refresh(1.0)
    assert beliefs.value[LIGHT] == pytest.approx(0.9)
    assert beliefs.low[LIGHT] > before
    assert not beliefs.moved[LIGHT]


def test_labels_that_contradict_replace_the_prior(beliefs: AccuracyBeliefs) -> None:
    beliefs.observe_labels(LIGHT, 120, 80, 1.0)
    beliefs.refresh(1.0)
    assert beliefs.value[LIGHT] == pytest.approx(0.6, abs=0.01)
    assert beliefs.moved.tolist() == [True, False]
    for _ in range(40):  # it recovers: old labels fade as new ones come
        beliefs.observe_labels(LIGHT, 90, 10, 2.0)
    beliefs.refresh(2.0)
    assert beliefs.value[LIGHT] == pytest.approx(0.9, abs=0.02)


@pytest.mark.parametrize(("good", "expected"), [(168, 0.89), (162, 0.81)])
def test_labels_count_beside_the_prior_until_they_differ_by_three_and_a_half_standard_errors(
    beliefs: AccuracyBeliefs, good: int, expected: float
) -> None:
    # 200 labels against 1,000 answers, of which 0.9 were right: that is a difference of 0.086
    beliefs.observe_labels(LIGHT, good, 200 - good, 1.0)
    beliefs.refresh(1.0)
    assert beliefs.value[LIGHT] == pytest.approx(expected)


def test_the_posterior_counts_what_was_right_and_what_was_not(beliefs: AccuracyBeliefs) -> None:
    assert beliefs.posterior(LIGHT) == pytest.approx((901.0, 101.0))
    beliefs.observe_labels(LIGHT, 80, 20, 1.0)
    beliefs.refresh(1.0)
    assert beliefs.posterior(LIGHT) == pytest.approx((981.0, 121.0))


def test_classes_that_are_not_equally_frequent_have_their_shares_found() -> None:
    # Of the frequent class 0.99 are right, of the other one 0.7. The rows are likeliest where 0.369
    # come of the frequent one: 0.6 x 0.714 / (0.5 + 0.714 m) = 0.4 x 2.619 / (2.833 - 2.619 m).
    counted, right = [700, 300], [693, 210]
    low, high = wilson(0.903, N)
    beliefs = AccuracyBeliefs([AccuracyPrior(0.903, low, high, N, 0.8, counted, right, right)])
    likely, unlikely = [0.85, 0.15], [0.15, 0.85]
    feed(beliefs, 0, np.tile(np.array([likely] * 3 + [unlikely] * 2, np.float32), (200, 1)))
    beliefs.refresh(1.0)
    assert beliefs.value[0] == pytest.approx(0.369 * 0.99 + 0.631 * 0.7, abs=0.005)


@pytest.mark.parametrize(("good", "is_refuted"), [(900, False), (800, True)])
def test_what_the_mix_promises_beyond_validation_data_is_not_held_against_a_plan(
    beliefs: AccuracyBeliefs, good: int, is_refuted: bool
) -> None:
    feed(beliefs, LIGHT, answers(2000, 0.0, (0.98, 0.82)))
    beliefs.refresh(1.0)
    assert beliefs.value[LIGHT] == pytest.approx(0.98, abs=0.02)
    beliefs.observe_labels(LIGHT, good, 1000 - good, 2.0)
    beliefs.refresh(2.0)
    assert beliefs.refuted[LIGHT] == is_refuted
    assert beliefs.vouched[LIGHT] == (not is_refuted)
    assert beliefs.value[LIGHT] == pytest.approx(good / 1000, abs=0.01)


def test_labels_of_a_class_that_validation_data_lacks_are_all_that_is_known_of_it() -> None:
    strata = Strata("balanced-accuracy", n_labels=2)
    low, high = wilson(0.9, 100)
    beliefs = AccuracyBeliefs([AccuracyPrior(0.9, low, high, 100, None, [100, 0], [90, 0])], strata)
    beliefs.observe_labels(0, 20, 20, 1.0, stratum=1)
    beliefs.refresh(1.0)
    assert beliefs.value == pytest.approx([(0.9 + 0.5) / 2])
    assert not beliefs.refuted[0]


def test_labels_fade_with_time(beliefs: AccuracyBeliefs) -> None:
    beliefs.observe_labels(LIGHT, 120, 80, 1.0)
    beliefs.refresh(1.0 + 20 * LABEL_HALF_LIFE_S)
    assert beliefs.value[LIGHT] == pytest.approx(0.9, abs=1e-3)


def test_a_clock_that_jumps_back_fades_nothing(beliefs: AccuracyBeliefs) -> None:
    beliefs.observe_labels(LIGHT, 60, 140, 1e9)
    beliefs.observe_labels(LIGHT, 60, 140, 1.0)
    beliefs.refresh(0.0)
    assert beliefs.value[LIGHT] == pytest.approx(0.3, abs=0.02)


def test_few_wrong_labels_do_not_condemn(beliefs: AccuracyBeliefs) -> None:
    beliefs.observe_labels(HEAVY, 5, 3, 1.0)
    beliefs.refresh(1.0)
    assert beliefs.value[HEAVY] > 0.97


def test_regression_has_labels_only() -> None:
    beliefs = AccuracyBeliefs([AccuracyPrior(0.9, 0.88, 0.92, 1000)])
    beliefs.observe_answers(0, np.ones((500, 3), np.float32))
    beliefs.refresh(1.0)
    assert beliefs.value.tolist() == [0.9]
    beliefs.observe_labels(0, 10, 90, 1.0)
    beliefs.refresh(2.0)
    assert beliefs.value[0] < 0.2
