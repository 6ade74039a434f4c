"""What is believed of a model's latency: the profile at first, then what was seen."""

import numpy as np
import pytest
from ounce_edge.recommender.beliefs.latency import (
    CENTRED_CALLS,
    TAIL_EVERY_CALLS,
    WINDOW_CALLS,
    WINDOW_SECONDS,
    LatencyBelief,
    excess_ms,
)


@pytest.fixture
def belief() -> LatencyBelief:
    return LatencyBelief([1, 10, 100], [1.0, 5.5, 50.5], [1.5, 8.25, 75.75])


def test_before_anything_is_seen_the_profile_holds(belief: LatencyBelief) -> None:
    assert belief.median_ms(1) == pytest.approx(1.0)
    assert belief.median_ms(10) == pytest.approx(5.5)
    assert belief.p99_ms(10) == pytest.approx(8.25)


def test_between_and_beyond_its_sizes_the_profile_is_linear(belief: LatencyBelief) -> None:
    assert belief.median_ms(4) == pytest.approx(2.5)
    assert belief.median_ms(300) == pytest.approx(150.5)
    assert belief.p99_ms(np.array([1.0, 10.0])) == pytest.approx([1.5, 8.25])
    for n in (*range(1, 3000), *range(1, 3000)):  # more than are remembered
        assert belief.profile_of(n) == belief.profile_ms(n)


def test_a_slowdown_is_believed_after_five_calls_at_every_batch_size_and_so_is_its_end(
    belief: LatencyBelief,
) -> None:
    for i in range(WINDOW_CALLS):
        belief.observe(10, 5.5, i * 0.01)
    assert belief.p99_ms(1) == pytest.approx(1.0)
    for i in range(20):
        belief.observe(10, 55.0, 2.6 + i * 0.01)
        assert belief.median_ms(100) == pytest.approx(505.0 if i >= 4 else 50.5)
    assert belief.slowdown == pytest.approx(10, rel=0.2)
    assert belief.p99_ms(100) == pytest.approx(505.0)  # a step is no tail
    for i in range(20):
        belief.observe(10, 5.5, 2.8 + i * 0.01)
        assert belief.median_ms(100) == pytest.approx(50.5 if i >= 4 else 505.0)
    assert belief.p99_ms(100) == pytest.approx(50.5)


def test_what_sticks_out_makes_the_tail(belief: LatencyBelief) -> None:
    for i in range(WINDOW_CALLS):
        belief.observe(10, 22.0 if i % 40 == 0 else 5.5, i * 0.01)
    assert belief.median_ms(10) == pytest.approx(5.5)
    assert belief.p99_ms(10) == pytest.approx(22.0)


def test_a_slow_first_call_is_believed_only_with_a_second_one(belief: LatencyBelief) -> None:
    belief.observe(1, 100.0 * float(belief.profile_ms(1)), at_s=0.0)
    assert belief.level == 1.0
    belief.observe(1, 100.0 * float(belief.profile_ms(1)), at_s=0.1)
    assert belief.level == pytest.approx(100.0)


def test_seldom_calls_are_believed_too(belief: LatencyBelief) -> None:
    for i in range(4):
        belief.observe(1, 1.0, 2.0 * i)
    for i in range(2):
        belief.observe(1, 4.0, 8.0 + 2.0 * i)
    assert belief.median_ms(1) == pytest.approx(4.0)


def test_one_hiccup_in_a_full_window_is_no_habit(belief: LatencyBelief) -> None:
    for i in range(WINDOW_CALLS):
        belief.observe(10, 5.5, i * 0.01)
    belief.observe(10, 550.0, 2.6)
    assert belief.p99_ms(10) == pytest.approx(5.5)


def test_what_was_seen_is_forgotten(belief: LatencyBelief) -> None:
    for i in range(50):
        belief.observe(1, 20.0, float(i) / 50)
    assert belief.median_ms(1) == pytest.approx(20.0)
    belief.refresh(1.0 + WINDOW_SECONDS)
    assert belief.median_ms(1) == pytest.approx(1.0)
    assert belief.p99_ms(1) == pytest.approx(1.5)


def test_few_calls_do_not_hide_the_tail(belief: LatencyBelief) -> None:
    for i in range(3):
        belief.observe(1, 1.0, float(i))
    assert belief.p99_ms(1) > 1.4


def test_one_batch_size_is_enough_for_a_profile() -> None:
    belief = LatencyBelief([8], [4.0], [4.0])
    assert belief.median_ms(8) == pytest.approx(4.0)
    assert belief.median_ms(16) == pytest.approx(8.0)


def test_what_sticks_out_of_short_calls_does_not_multiply_long_ones() -> None:
    belief = LatencyBelief([1, 10_000], [0.01, 100.0], [0.01, 100.0])
    for i in range(WINDOW_CALLS):
        belief.observe(1, 0.05 if i % 40 == 0 else 0.01, i * 0.01)
    assert belief.p99_ms(1) == pytest.approx(0.05)
    assert 100.0 < belief.p99_ms(10_000) < 105.0


def test_what_sticks_out_grows_with_the_root_of_the_time(belief: LatencyBelief) -> None:
    for i in range(WINDOW_CALLS):
        belief.observe(10, 22.0 if i % 40 == 0 else 5.5, i * 0.01)
    for n, median_ms in ((1, 1.0), (100, 50.5)):
        most_ms = median_ms + (22.0 - 5.5) * (median_ms / 5.5) ** 0.5
        assert belief.p99_ms(n) == pytest.approx(most_ms)
    assert excess_ms(4.0, 1.5, 0.5) == pytest.approx(2.0)  # half of 4 ms, over 0.5 * 2
    assert excess_ms(4.0, 1.2, 0.5) == pytest.approx(1.0)


def test_the_tail_is_worked_out_every_so_many_calls_and_fades(belief: LatencyBelief) -> None:
    for i in range(TAIL_EVERY_CALLS):
        assert belief.tail == pytest.approx(1.5)
        belief.observe(10, 5.5, i * 0.01)
    n_distances = TAIL_EVERY_CALLS - CENTRED_CALLS
    assert belief.tail == pytest.approx(1.5 * (1.0 - n_distances / (WINDOW_CALLS // 2)))


def test_how_much_longer_calls_take_is_told_where_some_were_seen(belief: LatencyBelief) -> None:
    assert belief.excess_ms(10) is None
    for i in range(3):
        belief.observe(10, 8.25, 1.0 + i)
    assert belief.excess_ms(100) == pytest.approx(25.25)
    assert belief.seen_since(3.0)
    assert not belief.seen_since(3.1)
    assert belief.latest_slowdown == pytest.approx(1.5 / belief.usual)


def test_what_is_usual_is_no_slowdown(belief: LatencyBelief) -> None:
    for i in range(4 * WINDOW_CALLS):
        belief.observe(10, 22.0, i * 0.01)
    assert belief.level == pytest.approx(4.0)
    assert belief.slowdown == pytest.approx(1.0, rel=0.05)


def test_how_much_slower_than_usual_is_told_of_a_call_like_the_latest(
    belief: LatencyBelief,
) -> None:
    assert belief.slower_by_ms == 0.0
    for i in range(WINDOW_CALLS):
        belief.observe(10, 5.5, i * 0.01)
    for i in range(9):
        belief.observe(100, 101.0, 2.6 + i * 0.01)  # twice as long as the profile says
    assert belief.slower_by_ms == pytest.approx(50.5, rel=0.05)


def test_what_sticks_out_is_known_once_the_calls_on_both_sides_are(belief: LatencyBelief) -> None:
    def see(n_items: int, ms: float) -> None:
        belief.observe(n_items, ms, 0.1)
        belief.refresh(0.1)

    for _ in range(CENTRED_CALLS + 1):
        see(1, 1.0)
    see(100, 4.0 * 50.5)
    for _ in range(CENTRED_CALLS - 1):
        see(1, 1.0)
        assert belief.spread == 0.0
    see(1, 1.0)
    assert belief.spread == pytest.approx(3.0 * 50.5**0.5)  # of its own time, not of theirs


def test_a_call_is_forgotten_when_the_window_has_passed(belief: LatencyBelief) -> None:
    belief.observe(1, 1.0, 0.0)
    belief.refresh(WINDOW_SECONDS - 0.1)
    assert belief.excess_ms(1) == 0.0
    belief.refresh(WINDOW_SECONDS)
    assert belief.excess_ms(1) is None
