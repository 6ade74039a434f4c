"""The shipped anomaly and text tasks: what their simulators make, and that models learn from it."""

import numpy as np
import pytest
from ounce_exporters.tasks import registry
from ounce_exporters.tasks.pump.simulation import COLUMNS, FAULTS, simulate
from ounce_exporters.tasks.tickets.messages import TEAMS, write
from ounce_exporters.training.mahalanobis import MahalanobisScore
from sklearn.metrics import roc_auc_score


def test_a_healthy_pump_follows_the_affinity_laws() -> None:
    readings = simulate(20000, 0.0, 0)
    assert readings.values.shape == (20000, len(COLUMNS))
    assert not readings.is_strange.any()
    speed, flow, pressure = (readings.values[:, i].astype(np.float64) for i in range(3))
    # Head over speed squared falls with the square of flow over speed.
    x, y = np.square(flow / speed), pressure / np.square(speed)
    slope, shut_off = np.polyfit(x, y, 1)
    assert slope < 0
    assert shut_off * 2900**2 == pytest.approx(6.0, rel=0.02)


def test_faults_hide_in_single_readings_and_show_together() -> None:
    healthy, mixed = simulate(4000, 0.0, 1), simulate(8000, 0.05, 2)
    assert mixed.is_strange.mean() == pytest.approx(0.05, abs=0.01)
    alone = [roc_auc_score(mixed.is_strange, column) for column in mixed.values.T]
    centre, spread = healthy.values.mean(axis=0), healthy.values.std(axis=0)
    model = MahalanobisScore().fit((healthy.values - centre) / spread)
    together = model.outputs((mixed.values - centre) / spread)[:, 0]
    assert roc_auc_score(mixed.is_strange, together) > 0.85 > max(alone)
    assert len(FAULTS) == 4


def test_messages_are_different_and_of_all_teams() -> None:
    texts, teams = write(1500, 0)
    assert len(set(texts)) == 1500
    assert np.bincount(teams, minlength=len(TEAMS)).min() > 200
    again, _ = write(1500, 0)
    assert (texts == again).all()
    other, _ = write(1500, 1)
    assert len(set(texts) & set(other)) < 400


@pytest.mark.parametrize("name", ["pump", "tickets"])
def test_the_lightest_model_learns_from_a_quick_ladder_s_data(name: str) -> None:
    task = registry.find_task(name)
    data = task.load(0, quick=True)
    recipe = task.recipes(data, quick=True)[0]
    model = recipe.fit(data, 0, lambda _: None)
    outputs = model.predict(data.test.inputs)
    if name == "pump":
        assert roc_auc_score(data.test.targets, outputs[:, 0]) > 0.85
    else:
        assert (outputs.argmax(axis=1) == data.test.targets).mean() > 0.85
