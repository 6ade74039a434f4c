"""A simulation sees an alert that is silent, and one that does not end."""

import dataclasses
from pathlib import Path

import pytest

from tests.services.monitoring.simulated import Fault, Simulation, gauge

UP = 'up{instance="w-1",job="ounce-worker"}'
GONE = Fault("OunceWorkerGone", {UP: gauge(1, 0)}, 2, 5, 1)
SIMULATION = Simulation(
    ["recordings.yaml", "causes.yaml"],
    {UP: gauge(1, 1), 'up{instance="w-2",job="ounce-worker"}': gauge(1, 1)},
    step_s=15,
    healthy_min=1,
)


@pytest.mark.prometheus
def test_an_alert_that_is_silent_or_does_not_end_is_seen(tmp_path: Path) -> None:
    assert SIMULATION.run([GONE], tmp_path).returncode == 0
    without = dataclasses.replace(GONE, series={})
    assert SIMULATION.run([without], tmp_path).returncode != 0
    endless = dataclasses.replace(GONE, ends_min=-1)
    assert SIMULATION.run([endless], tmp_path).returncode != 0
