"""A consumer that reads nothing although there is something to read, and one that is held up."""

from ounce_edge.broker.broker_view import Marks
from ounce_edge.broker.reading.watchdog import BLOCKED_AFTER_S, STUCK_AFTER_S, Watchdog

A, B = ("t", 0), ("t", 1)
TEN = Marks(0, 10, 10)


def test_only_a_partition_that_does_not_move_and_has_records_is_stuck() -> None:
    dog = Watchdog()
    marks = {A: TEN, B: TEN}
    assert dog.find_stuck({A: 5, B: 10}, marks, 0.0) == []
    assert dog.find_stuck({A: 5, B: 10}, marks, STUCK_AFTER_S - 1) == []
    assert dog.find_stuck({A: 5, B: 10}, marks, STUCK_AFTER_S) == [A]
    dog.forget_stuck()
    assert dog.find_stuck({A: 5, B: 10}, marks, STUCK_AFTER_S + 1) == []


def test_moving_or_reading_all_or_losing_the_partition_begins_anew() -> None:
    for meanwhile in ({A: 6}, {A: 10}, {}):
        dog = Watchdog()
        dog.find_stuck({A: 5}, {A: TEN}, 0.0)
        dog.find_stuck(meanwhile, {A: TEN}, 10.0)
        assert dog.find_stuck({A: meanwhile.get(A, 5)}, {A: TEN}, STUCK_AFTER_S) == []


def test_an_end_that_is_not_known_says_nothing() -> None:
    dog = Watchdog()
    for at_s in (0.0, 100.0):
        assert dog.find_stuck({A: 5}, {}, at_s) == []
        assert dog.find_blocked({A: 5}, {}, at_s) == {}


def test_what_an_open_transaction_holds_up_is_blocked_and_not_stuck() -> None:
    dog = Watchdog()
    marks = {A: Marks(0, 7, 10), B: Marks(0, 10, 10)}
    positions = {A: 7, B: 10}
    assert dog.find_blocked(positions, marks, 5.0) == {}
    assert dog.find_blocked(positions, marks, 5.0 + BLOCKED_AFTER_S) == {A: 5.0}
    for at_s in (0.0, 100.0):
        assert dog.find_stuck(positions, marks, at_s) == []


def test_a_transaction_that_is_followed_by_another_begins_anew() -> None:
    dog = Watchdog()
    for i in range(10):
        marks = {A: Marks(0, 7 + i, 20)}
        assert dog.find_blocked({A: 7 + i}, marks, i * (BLOCKED_AFTER_S - 1)) == {}


def test_what_is_still_to_be_read_before_a_transaction_is_not_blocked() -> None:
    dog = Watchdog()
    for at_s in (0.0, 100.0):
        assert dog.find_blocked({A: 6}, {A: Marks(0, 7, 10)}, at_s) == {}
