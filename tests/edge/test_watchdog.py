"""A consumer that reads nothing although there is something to read."""

from ounce_edge.watchdog import STUCK_AFTER_S, Watchdog

A, B = ("t", 0), ("t", 1)


def test_only_a_partition_that_does_not_move_and_has_records_is_stuck() -> None:
    dog = Watchdog()
    ends = {A: 10, B: 10}
    assert dog.stuck({A: 5, B: 10}, ends, 0.0) == []
    assert dog.stuck({A: 5, B: 10}, ends, STUCK_AFTER_S - 1) == []
    assert dog.stuck({A: 5, B: 10}, ends, STUCK_AFTER_S) == [A]


def test_moving_or_reading_all_or_losing_the_partition_begins_anew() -> None:
    for meanwhile in ({A: 6}, {A: 10}, {}):
        dog = Watchdog()
        dog.stuck({A: 5}, {A: 10}, 0.0)
        dog.stuck(meanwhile, {A: 10}, 10.0)
        assert dog.stuck({A: meanwhile.get(A, 5)}, {A: 10}, STUCK_AFTER_S) == []


def test_an_end_that_is_not_known_says_nothing() -> None:
    dog = Watchdog()
    for at_s in (0.0, 100.0):
        assert dog.stuck({A: 5}, {}, at_s) == []
