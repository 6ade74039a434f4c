"""Floods leave a worker's memory within its bound, every record gets an answer, and of those that
wait the earliest deadline comes first."""

from pathlib import Path

import pytest

from tests.support.kafka.needed import kafka_needed
from trials.chaos import burst, flood
from trials.chaos.flooding import BOUND_MB


@pytest.mark.kafka
def test_memory_stays_within_its_bound(digits_models: Path) -> None:
    with kafka_needed():
        ready_mb, phases = flood.run(digits_models, 0.2, print, stall_s=4.0)
    assert [phase.answered for phase in phases] == [phase.sent for phase in phases]
    assert max(phase.peak_mb for phase in phases) <= ready_mb + BOUND_MB
    assert flood.holds(ready_mb, phases)


@pytest.mark.kafka
def test_a_burst_is_answered_by_deadline_in_bounded_memory(digits_models: Path) -> None:
    with kafka_needed():
        found = burst.run(digits_models, 0.5, print)
    assert found.answered == found.sent
    assert found.peak_mb <= found.ready_mb + BOUND_MB
    assert found.order.pairs > 0
    assert found.order.share_in_order >= burst.LEAST_IN_ORDER
    assert burst.holds(found)
