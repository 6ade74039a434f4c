"""Processor time of what is done often."""

from itertools import accumulate, repeat

import pytest
from ounce_edge.pipeline.sampled_time import EVERY, SampledTime


def test_one_that_is_measured_counts_for_all() -> None:
    asked = accumulate(repeat(0.002))
    spent = SampledTime(lambda: next(asked))
    told_ms = [spent.end_ms(spent.begin()) for _ in range(3 * EVERY)]
    assert sum(told_ms) == pytest.approx(3 * EVERY * 2.0)
    assert len([ms for ms in told_ms if ms]) == 3
