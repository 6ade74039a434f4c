"""What a process loses before it is first scraped is told: its counter begins with that."""

from pathlib import Path

import pytest

from tests.services.monitoring.simulated import Counter, Fault, Simulation, Values, gauge
from tests.services.monitoring.test_rules import FLEET, W1, G, by_cause, check_passes

STARTED = {who: f"process_start_time_seconds{{{who}}}" for who in (W1, G)}
AT_MIN = 25
"""When it starts."""
BEFORE_MIN = -60
FAULTS = [
    ("OunceRequestsLost", f'ounce_requests_lost_total{{partition="1",task="new",{W1}}}', W1),
    ("OunceRequestsSetAside", f'ounce_set_aside_total{{task="new",{W1}}}', W1),
    ("OunceGatewayDrops", f"ounce_gateway_dropped_total{{{G}}}", G),
]


def started(minute: int) -> dict[str, Values | Counter]:
    return {series: gauge(60 * minute, 60 * minute) for series in STARTED.values()}


pytestmark = [
    pytest.mark.prometheus,
    pytest.mark.parametrize(("alert", "series", "who"), FAULTS, ids=[name for name, *_ in FAULTS]),
]


def test_it_is_told_where_the_process_has_just_started(
    alert: str, series: str, who: str, tmp_path: Path
) -> None:
    fault = Fault(alert, {series: gauge("stale", 50), **started(AT_MIN)}, 1, 2, 11)
    check_passes(by_cause.run([fault], tmp_path))


def test_nobody_is_told_of_it_again_where_prometheus_is_new(
    alert: str, series: str, who: str, tmp_path: Path
) -> None:
    new = Simulation(by_cause.rules, FLEET | started(BEFORE_MIN), 15, 1)
    check_passes(new.is_silent({series: gauge("stale", 50)}, 1, 10, 5, tmp_path))
