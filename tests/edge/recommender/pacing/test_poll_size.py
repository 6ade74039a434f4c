"""How many records a poll takes: as many as can be read within a time, as that was learned."""

import pytest
from ounce_edge.recommender.pacing.poll_size import LEAST_POLL, PollSize


def test_a_poll_takes_what_can_be_read_within_its_time() -> None:
    size = PollSize()
    for _ in range(100):
        size.learn(1000, 20.0)
    assert size.poll_ms(500) == pytest.approx(10.0)
    assert size.within(50.0) == pytest.approx(2500, abs=1)


def test_the_time_of_a_record_follows_the_last_polls_slowly() -> None:
    size = PollSize()
    for _ in range(100):
        size.learn(1000, 20.0)
    size.learn(1000, 70.0)  # 0.07 ms a record, and 0.02 before
    assert size.poll_ms(1) == pytest.approx(0.03)
    for _ in range(100):
        size.learn(1000, 5.0)
    assert size.poll_ms(1) == pytest.approx(0.005)


def test_a_small_poll_tells_nothing_of_the_time_of_a_record() -> None:
    size = PollSize()
    before = size.poll_ms(1)
    size.learn(LEAST_POLL - 1, 1000.0)
    assert size.poll_ms(1) == before
    size.learn(LEAST_POLL, 1000.0)
    assert size.poll_ms(1) > before


def test_a_poll_is_never_smaller_than_is_worth_its_cost() -> None:
    assert PollSize().within(0.0) == LEAST_POLL


@pytest.mark.parametrize(
    ("n", "is_more", "behind"),
    [(LEAST_POLL, True, True), (LEAST_POLL - 1, True, False), (LEAST_POLL, False, False)],
)
def test_a_full_poll_with_more_behind_it_is_behind(n: int, is_more: bool, behind: bool) -> None:
    size = PollSize()
    assert not size.is_behind
    size.polled(n, is_more)
    assert size.is_behind == behind
