"""Messages sorted by their lightest sufficient plan and by their deadline."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ounce_edge.recommender.rule import cells
from ounce_edge.recommender.rule.cells import sort_messages

SURE = [0.5, 0.8, 0.95]
FASTEST_MS = 2.0


def sorted_by(few: int, left_ms: list[float], floors: list[float]) -> tuple[list[int], list[tuple]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cells, "FEW", few)
        late, found = sort_messages(np.array(left_ms), np.array(floors), SURE, FASTEST_MS)
    return late.tolist(), [(c.rung, c.bin, list(c.items), c.tightest_ms) for c in found]


@pytest.mark.parametrize("few", [0, 100])
def test_messages_of_one_rung_and_about_one_deadline_are_one_cell(few: int) -> None:
    left_ms = [7.9, 2.0, 1.9, 8.0, 31.9, 32.0, 5.0, -1.0]
    floors = [0.5, 0.5, 0.5, 0.5, 0.6, 0.99, 0.5, 0.99]
    assert sorted_by(few, left_ms, floors) == (
        [2, 7],
        [(0, 0, [0, 1, 6], 2.0), (0, 1, [3], 8.0), (1, 1, [4], 31.9), (3, 2, [5], 32.0)],
    )


@pytest.mark.parametrize("few", [0, 100])
def test_all_may_be_late(few: int) -> None:
    assert sorted_by(few, [-1.0, 1.9], [0.5, 0.9]) == ([0, 1], [])


@given(
    st.lists(st.tuples(st.floats(-10, 1e6), st.sampled_from([0.0, *SURE, 0.7, np.inf])), min_size=1)
)
@settings(deadline=None)
def test_a_few_are_sorted_as_many_are(some: list[tuple[float, float]]) -> None:
    left_ms, floors = (list(column) for column in zip(*some, strict=True))
    late, found = sorted_by(0, left_ms, floors)
    assert (late, found) == sorted_by(len(some), left_ms, floors)
    assert sorted([*late, *(i for _, _, items, _ in found for i in items)]) == [*range(len(some))]
