"""The simulator of routing rules: what must hold for any rule."""

import numpy as np
import pytest
from ounce_edge.recommender.accuracy import AccuracyPrior
from ounce_edge.recommender.plans import Plan, Step

from benchmarks.routing import workloads
from benchmarks.routing.overhead import Overhead
from benchmarks.routing.rules import OURS, RULES
from benchmarks.routing.scores import in_time, judge
from benchmarks.routing.simulation import simulate
from benchmarks.routing.tables import SAMPLES, SIZES, ServiceTimes, Table
from benchmarks.routing.verdicts import figure

OVERHEAD = Overhead(poll_ms=0.05, admit_ms=0.002, step_ms=0.05, answer_ms=0.002)
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

    plans = [Plan(f"m{i}", [Step(i)], prior(a)) for i, a in enumerate(ACCURACIES)]
    plans.append(Plan("m0>m2", [Step(0, 1.0, 0.9), Step(2, 0.2)], prior(0.97)))
    return Table(
        task="made-up", labels=("a", "b"), models=("m0", "m1", "m2"), size_bytes=(1, 2, 3),
        plans=plans, probabilities=probabilities, targets=targets,
        times_ms=median[:, :, None] * noise, profile_p50_ms=median, profile_p99_ms=1.3 * median,
    )  # fmt: skip


TABLE = make_table()


@pytest.mark.parametrize("kind", workloads.KINDS)
@pytest.mark.parametrize("name", RULES)
def test_every_message_is_answered_exactly_once_and_not_before_it_came(
    name: str, kind: str
) -> None:
    messages = workloads.make(kind, TABLE, 3000.0, 0, 0.4)
    result = simulate(TABLE, messages, RULES[name](TABLE, OVERHEAD), OVERHEAD)
    assert np.isfinite(result.finish_ms).all()
    assert (result.finish_ms > messages.arrival_ms).all()
    assert (result.plan >= 0).all()
    assert (result.answer >= 0).all()
    assert (result.compute_ms > 0).all()


@pytest.mark.parametrize("name", RULES)
def test_the_same_seed_gives_the_same_result(name: str) -> None:
    def run() -> tuple[np.ndarray, np.ndarray]:
        messages = workloads.make("burst", TABLE, 4000.0, 3, 0.3)
        result = simulate(TABLE, messages, RULES[name](TABLE, OVERHEAD), OVERHEAD, 5)
        return result.finish_ms, result.plan

    for one, other in zip(run(), run(), strict=True):
        assert one.tolist() == other.tolist()


def test_the_oracle_is_never_less_accurate_and_dearer_than_always_best() -> None:
    messages = workloads.make("Poisson", TABLE, 500.0, 0, 1.0)
    scores = {
        name: judge(
            TABLE,
            messages,
            simulate(TABLE, messages, rule(TABLE, OVERHEAD), OVERHEAD),
            len(messages),
            knows_answers=name == "oracle",
        )
        for name, rule in RULES.items()
    }
    oracle = scores.pop("oracle")
    assert oracle.accuracy >= max(score.accuracy for score in scores.values())
    assert oracle.right_in_time >= max(score.right_in_time for score in scores.values())
    assert oracle.compute_us < scores["always-best"].compute_us


def test_with_room_ours_keeps_every_target() -> None:
    messages = workloads.make("steady", TABLE, 500.0, 0, 1.0)
    result = simulate(TABLE, messages, RULES[OURS](TABLE, OVERHEAD), OVERHEAD)
    score = judge(TABLE, messages, result, int(in_time(messages, result).sum()))
    assert score.as_asked > 0.99
    assert score.misses == 0


def test_a_simulation_that_ends_early_leaves_messages_unanswered() -> None:
    messages = workloads.make("steady", TABLE, 3000.0, 0, 0.4)
    rule = RULES["always-best"](TABLE, OVERHEAD)
    result = simulate(TABLE, messages, rule, OVERHEAD, end_ms=100.0)
    late = np.isinf(result.finish_ms)
    assert late.any()
    assert (result.plan[late] == -1).all()
    score = judge(TABLE, messages, result, len(messages))
    assert score.misses >= late.sum()


def test_workloads_are_what_they_say() -> None:
    for kind, spec in workloads.KINDS.items():
        messages = workloads.make(kind, TABLE, 2000.0, 1, 4.0)
        assert (np.diff(messages.arrival_ms) >= 0).all()
        assert messages.arrival_ms[-1] <= 4000.0
        mean = 2.25 / 2.0 if kind == "ramp" else 1.0
        assert len(messages) == pytest.approx(8000 * mean, rel=0.1)
        assert set(messages.max_latency_ms) == set(workloads.DEADLINES_MS)
        assert messages.slowdown(2000.0) == (workloads.SLOWDOWN if spec.slows else 1.0)
        assert messages.slowdown(10.0) == 1.0
    burst = workloads.make("burst", TABLE, 2000.0, 1, 4.0).arrival_ms % workloads.BURST_EVERY_MS
    assert burst.max() < workloads.BURST_ON_MS
    shift = workloads.make("shift", TABLE, 2000.0, 1, 4.0)
    hard = np.isin(TABLE.targets[shift.item], workloads.hard_classes(TABLE))
    after = shift.arrival_ms >= shift.shifted_ms
    assert hard[after].mean() > hard[~after].mean() + 0.2


def test_times_between_measured_sizes_are_linear_and_beyond_them_several_calls() -> None:
    times = ServiceTimes(TABLE, np.random.default_rng(0))
    assert times.median_ms(0, 48) == pytest.approx(
        (times.median_ms(0, 32) + times.median_ms(0, 64)) / 2.0
    )
    assert times.median_ms(0, 1024) == pytest.approx(2.0 * times.median_ms(0, 512))
    drawn = [times.draw_ms(0, 48) for _ in range(200)]
    assert np.median(drawn) == pytest.approx(times.median_ms(0, 48), rel=0.1)


def test_noise_is_that_of_the_seeds() -> None:
    class _Cell:
        def __init__(self, value: float) -> None:
            self.score = type("Score", (), {"accuracy": value})()

    found = figure([_Cell(0.9), _Cell(0.92)], "accuracy")  # type: ignore[list-item]
    assert found.mean == pytest.approx(0.91)
    assert found.noise == pytest.approx(0.02)
