"""The simulator of routing rules: what must hold for any rule."""

import numpy as np
import pytest

from benchmarks.routing import workloads
from benchmarks.routing.rules import OURS, RULES
from benchmarks.routing.scores import in_time, judge
from benchmarks.routing.simulation import simulate
from benchmarks.routing.tables import ServiceTimes
from benchmarks.routing.verdicts import figure
from tests.support.routing import OVERHEAD, TABLE


@pytest.mark.parametrize("kind", workloads.KINDS)
@pytest.mark.parametrize("name", RULES)
def test_every_message_is_answered_exactly_once_and_not_before_it_came(
    name: str, kind: str
) -> None:
    messages = workloads.make(kind, TABLE, 3000.0, 0, 0.4)
    result = simulate(messages, RULES[name](TABLE, OVERHEAD))
    assert np.isfinite(result.finish_ms).all()
    assert (result.finish_ms > messages.arrival_ms).all()
    assert (result.plan >= 0).all()
    assert (result.answer >= 0).all()
    assert (result.compute_ms > 0).all()


@pytest.mark.parametrize("name", RULES)
def test_the_same_seed_gives_the_same_result(name: str) -> None:
    def run() -> tuple[np.ndarray, np.ndarray]:
        messages = workloads.make("burst", TABLE, 4000.0, 3, 0.3)
        result = simulate(messages, RULES[name](TABLE, OVERHEAD), 5)
        return result.finish_ms, result.plan

    for one, other in zip(run(), run(), strict=True):
        assert one.tolist() == other.tolist()


def test_the_oracle_is_never_less_accurate_and_dearer_than_always_best() -> None:
    messages = workloads.make("Poisson", TABLE, 500.0, 0, 1.0)
    scores = {
        name: judge(
            TABLE,
            messages,
            simulate(messages, rule(TABLE, OVERHEAD)),
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
    result = simulate(messages, RULES[OURS](TABLE, OVERHEAD))
    score = judge(TABLE, messages, result, int(in_time(messages, result).sum()))
    assert score.as_asked > 0.99
    assert score.misses == 0


def test_a_message_alone_takes_the_time_of_a_group() -> None:
    messages = workloads.make("steady", TABLE, 50.0, 0, 0.4)
    result = simulate(messages, RULES[OURS](TABLE, OVERHEAD))
    fixed_ms = OVERHEAD.poll_ms + OVERHEAD.step_ms + OVERHEAD.group_ms
    assert (result.finish_ms - messages.arrival_ms).min() > fixed_ms + OVERHEAD.item_ms


def test_a_simulation_that_ends_early_leaves_messages_unanswered() -> None:
    messages = workloads.make("steady", TABLE, 3000.0, 0, 0.4)
    rule = RULES["always-best"](TABLE, OVERHEAD)
    result = simulate(messages, rule, end_ms=100.0)
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
