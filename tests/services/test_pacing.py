"""When messages are due."""

import pytest
from ounce_services.devices.pacing import Pace


def test_steady_rate() -> None:
    pace = Pace(rate_per_s=100)
    assert [pace.due(t) for t in (0, 0.005, 0.01, 1, 3600)] == [0, 0, 1, 100, 360_000]
    assert not any(pace.is_burst(t / 10) for t in range(300))


def test_bursts_add_their_share_at_the_end_of_each_period() -> None:
    pace = Pace(rate_per_s=100, burst_every_s=10, burst_length_s=1, burst_factor=5)
    assert pace.due(9) == 900
    assert pace.due(9.5) == 900 + 250
    assert pace.due(10) == 900 + 500
    assert pace.due(20) == 2 * 1400
    assert [pace.is_burst(t) for t in (8.9, 9.0, 9.9, 10.0, 19.5)] == [
        False,
        True,
        True,
        False,
        True,
    ]


@pytest.mark.parametrize("factor", [1, 5])
def test_due_never_falls(factor: float) -> None:
    pace = Pace(37, burst_every_s=3, burst_length_s=0.5, burst_factor=factor)
    due = [pace.due(t / 100) for t in range(2000)]
    assert due == sorted(due)
