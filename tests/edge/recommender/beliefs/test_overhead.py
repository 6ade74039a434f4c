"""Time of a group beside its calls: what is the group's, and what each message's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ounce_edge.recommender.beliefs.overhead import (
    FEW_GROUPS,
    ITEMS_BOUNDS,
    PRIOR_ITEMS,
    OverheadBelief,
)

SIZES = np.random.default_rng(1).geometric(0.1, 3000)
"""Of groups: ten messages in the mean."""


@pytest.mark.parametrize(
    ("group_ms", "item_ms"), [(1.0, 1.0), (0.2, 0.1), (0.2, 0.02), (2.0, 0.04)]
)
def test_what_a_group_and_a_message_take_is_found_from_groups_of_several_sizes(
    group_ms: float, item_ms: float
) -> None:
    overhead = OverheadBelief()
    for n in SIZES:
        ms = group_ms + item_ms * n
        overhead.observe(n, ms, ms)
    assert overhead.group_ms == pytest.approx(group_ms, rel=0.15)  # the prior pulls a little
    assert overhead.item_ms == pytest.approx(item_ms, rel=0.03)


def test_groups_that_other_programs_hold_up_take_longer_and_compare_as_before() -> None:
    # of groups that take 0.2 ms and 0.02 ms a message a third are held up: for 4 ms in the mean
    rng = np.random.default_rng(2)
    quiet, busy = OverheadBelief(), OverheadBelief()
    mean_ms = 0.0
    for n in SIZES:
        ms = 0.2 + 0.02 * n
        quiet.observe(n, ms, ms)
        elapsed_ms = ms + rng.exponential(4.0) * (rng.random() < 1 / 3)
        busy.observe(n, elapsed_ms, ms)
        mean_ms += (elapsed_ms - mean_ms) / 500.0
    assert busy.group_ms / busy.item_ms == pytest.approx(quiet.group_ms / quiet.item_ms)
    assert busy.group_ms + busy.item_ms * SIZES.mean() == pytest.approx(mean_ms, rel=0.05)


def test_a_computer_that_slept_makes_no_group_dear() -> None:
    overhead = OverheadBelief()
    for _ in range(500):
        overhead.observe(1, 0.3, 0.3)
    before_ms = overhead.group_ms
    overhead.observe(1, 60_000.0, 0.3)
    assert overhead.group_ms == pytest.approx(before_ms, rel=0.3)
    for _ in range(500):  # and one that is a thousand times slower now is believed to be
        overhead.observe(1, 300.0, 0.3)
    assert overhead.group_ms > 500 * before_ms


def test_of_groups_that_are_all_alike_most_is_believed_to_be_the_groups() -> None:
    overhead = OverheadBelief()
    for _ in range(5000):
        overhead.observe(2, 3.6, 0.9)
    assert overhead.item_ms == pytest.approx(0.2, rel=1e-4)
    assert overhead.group_ms == pytest.approx(PRIOR_ITEMS * 0.2, rel=1e-4)


def test_where_the_time_on_the_processor_can_not_be_told_the_elapsed_time_counts() -> None:
    overhead = OverheadBelief()
    for n in (1, 4, 9) * 1000:
        overhead.observe(n, 1.0, 0.0)
    assert overhead.item_ms == pytest.approx(1.0 / (PRIOR_ITEMS + 14 / 3), rel=0.01)
    assert overhead.group_ms == pytest.approx(PRIOR_ITEMS * overhead.item_ms)


@pytest.mark.parametrize(("group_ms", "item_ms", "bound"), [(0.0, 1.0, 0), (1.0, 0.0, 1)])
def test_neither_the_group_nor_its_messages_are_believed_to_take_all_of_the_time(
    group_ms: float, item_ms: float, bound: int
) -> None:
    overhead = OverheadBelief()
    for n in SIZES:
        ms = group_ms + item_ms * n
        overhead.observe(n, ms, ms)
    assert overhead.group_ms / overhead.item_ms == pytest.approx(ITEMS_BOUNDS[bound])


def test_of_what_has_changed_the_old_is_forgotten_after_some_thousand_groups() -> None:
    overhead = OverheadBelief()
    for group_ms, item_ms in ((0.2, 0.02), (1.0, 1.0)):
        for n in SIZES:
            ms = group_ms + item_ms * n
            overhead.observe(n, ms, ms)
    assert overhead.group_ms == pytest.approx(1.0, rel=0.15)
    assert overhead.item_ms == pytest.approx(1.0, rel=0.03)


def test_nothing_is_believed_to_be_taken_before_a_group_was_seen_and_little_after_one() -> None:
    overhead = OverheadBelief()
    assert (overhead.group_ms, overhead.item_ms) == (0.0, 0.0)
    overhead.observe(1, 15.0, 1.0)  # the first one
    assert overhead.group_ms + overhead.item_ms == pytest.approx(
        15.0 / (1.0 + FEW_GROUPS), rel=0.01
    )
    for _ in range(100):
        overhead.observe(1, 0.3, 0.2)
    assert 0.2 < overhead.group_ms + overhead.item_ms < 0.45


@given(
    st.lists(
        st.tuples(st.integers(1, 16_384), st.floats(1e-3, 1e4), st.floats(0.0, 1e4)),
        min_size=1,
        max_size=50,
    )
)
def test_times_are_positive_and_in_bounds_whatever_is_seen(groups: list) -> None:
    overhead = OverheadBelief()
    for n, elapsed_ms, processor_ms in groups:
        overhead.observe(n, elapsed_ms, processor_ms)
    least, most = ITEMS_BOUNDS
    assert least * (1 - 1e-9) <= overhead.group_ms / overhead.item_ms <= most * (1 + 1e-9)
    assert 0.0 < overhead.item_ms <= max(elapsed_ms for _, elapsed_ms, _ in groups)
