"""Made-up requests: order is found, and so is the lack of it."""

import numpy as np

from trials.chaos.deadline_order import Order, Taken, find_order


def taken(*requests: tuple[int, int, float, float]) -> Taken:
    """From (partition, offset, deadline_ms, taken_ms) of each."""
    partition, offset, deadline_ms, taken_ms = zip(*requests, strict=True)
    return Taken(np.array(partition), np.array(offset), np.array(deadline_ms), np.array(taken_ms))


def test_the_earlier_deadline_first_is_in_order() -> None:
    # The last of the partition comes first, so all three are known to wait by then.
    found = find_order(taken((0, 0, 300, 3), (0, 1, 200, 2), (0, 2, 100, 1)))
    assert found == Order(pairs=3, out_of_order=0, chosen=2, chosen_late=0)
    assert (found.share_in_order, found.late_share) == (1.0, 0.0)


def test_the_later_deadline_first_is_not() -> None:
    found = find_order(taken((0, 0, 100, 3), (0, 1, 200, 2), (0, 2, 300, 1)))
    assert found == Order(pairs=3, out_of_order=3, chosen=2, chosen_late=0)
    assert found.share_in_order == 0.0


def test_what_may_not_have_been_taken_yet_is_not_compared() -> None:
    # Nothing behind offset 0 was answered before it: the worker may not have known of the rest,
    # nor of the other partition, which nothing was answered of.
    found = find_order(taken((0, 0, 300, 1), (0, 1, 200, 2), (1, 0, 100, 3)))
    assert found == Order(pairs=0, out_of_order=0, chosen=0, chosen_late=0)


def test_one_decisions_requests_and_equal_deadlines_are_in_order() -> None:
    assert find_order(taken((0, 0, 100, 1), (0, 1, 200, 1))).pairs == 0
    found = find_order(taken((0, 0, 100, 2), (0, 1, 100, 1)))
    assert found == Order(pairs=1, out_of_order=0, chosen=1, chosen_late=0)


def test_partitions_are_compared_once_both_are_known() -> None:
    found = find_order(taken((0, 0, 900, 1), (1, 1, 200, 2), (1, 0, 100, 3), (0, 1, 800, 1)))
    assert found == Order(pairs=1, out_of_order=1, chosen=1, chosen_late=0)


def test_late_ones_have_no_order_but_are_counted() -> None:
    # Offsets 1 and 2 are late when they are answered; offset 0 waits and is not.
    found = find_order(taken((0, 0, 900, 9), (0, 1, 2, 5), (0, 2, 1, 4)))
    assert found == Order(pairs=0, out_of_order=0, chosen=2, chosen_late=2)
    assert found.late_share == 1.0
    # Answered in time while a late one waits: nothing to compare, nobody to keep.
    assert find_order(taken((0, 0, 2, 9), (0, 1, 900, 5))).chosen == 0
