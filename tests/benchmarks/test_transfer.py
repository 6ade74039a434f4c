"""The benchmark of transfer: every way starts from what it says, and learns from as few labels."""

from pathlib import Path

import numpy as np
import pytest
from ounce_exporters.tasks.bearing import task as bearing

from benchmarks.kinds import transfer


def test_each_way_answers_the_other_machines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "_SOURCE_WINDOWS", 240)
    monkeypatch.setattr(transfer, "_TARGET_WINDOWS", 160)
    monkeypatch.setattr(transfer, "_LEAST_STEPS", 4)
    monkeypatch.setitem(bearing.QUICK_EPOCHS, "cnn-1d", 2)
    bearings = transfer._of_bearings()
    start = transfer._learn(bearings, tmp_path)
    few = transfer._few(bearings.target, 5, seed=0)
    assert np.bincount(few.train.targets).tolist() == [5, 5, 5, 5]
    assert len(few.test) == len(bearings.target.test)
    row = transfer._row(bearings, 5, start, tmp_path, seeds=1)
    name, n_labels, *shares, gain, spread = row
    assert (n_labels, spread) == (5, None)
    assert "14 to 24 Hz" in str(name)
    values = [float(str(share).rstrip("%")) for share in shares]
    assert len(values) == 4
    assert float(str(gain)) == pytest.approx(values[3] - values[0], abs=0.11)
    assert values[1] > 25.0  # the probe has learned something of four classes
