"""A model's breaker: out of the plans for longer each time, and forgiven."""

from ounce_edge.recommender.beliefs.suspension import (
    FIRST_S,
    FORGIVEN_AFTER_S,
    LONGEST_S,
    Suspension,
)


def test_a_breaker_opens_for_longer_each_time_and_forgives() -> None:
    breaker = Suspension()
    at_s, times = 0.0, []
    for _ in range(8):
        breaker.fail(at_s)
        assert breaker.until_s is not None
        times.append(breaker.until_s - at_s)
        at_s = breaker.until_s
        assert not breaker.is_open(at_s)
        assert breaker.on_trial
    assert times == [1, 2, 4, 8, 16, 32, LONGEST_S, LONGEST_S]
    assert breaker.succeed(at_s)
    assert not breaker.succeed(at_s)
    breaker.fail(at_s + FORGIVEN_AFTER_S + 1)
    assert breaker.until_s == at_s + FORGIVEN_AFTER_S + 1 + FIRST_S


def test_a_failure_soon_after_it_was_restored_counts_with_those_before() -> None:
    breaker = Suspension()
    breaker.fail(1000.0)
    assert breaker.succeed(1000.0 + FIRST_S)
    breaker.fail(1000.0 + FORGIVEN_AFTER_S)
    assert breaker.until_s == 1000.0 + FORGIVEN_AFTER_S + 2 * FIRST_S
