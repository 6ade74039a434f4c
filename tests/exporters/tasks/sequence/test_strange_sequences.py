"""Anomalies of sequences: learned from normal windows, promised, exported and served."""

from pathlib import Path

import numpy as np
import pandas as pd
from ounce_edge.models.catalogue import load_ladder
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_exporters.export.artifacts import write_task
from ounce_exporters.ladder.building import export_model
from ounce_exporters.ladder.recipe import TaskData
from ounce_exporters.tasks.table.options import TableOptions
from ounce_exporters.tasks.table.recipes import recipes
from ounce_exporters.tasks.table.task import load
from ounce_exporters.training.crossfit import train


def swinging(n_units: int = 16, n: int = 60) -> pd.DataFrame:
    """Two channels that swing together; where something is loose, the second goes its own way."""
    rng = np.random.default_rng(0)
    units = []
    for unit in range(n_units):
        swing = np.sin(0.7 * np.arange(n) + rng.uniform(0, 6))
        loose = np.arange(n) >= (50 if unit % 2 else n)
        other = np.where(loose, rng.normal(0, 2.0, n), swing)
        units.append(
            pd.DataFrame(
                {
                    "unit": f"u{unit}",
                    "at": np.arange(n),
                    "left": swing + rng.normal(0, 0.1, n),
                    "right": other + rng.normal(0, 0.1, n),
                    "state": np.where(loose, "loose", "tight"),
                }
            )
        )
    return pd.concat(units, ignore_index=True)


def loaded(frame: pd.DataFrame, folder: Path, target: str | None) -> TaskData:
    frame.to_csv(folder / "t.csv", index=False)
    options = TableOptions(kind="anomaly", unit="unit", time="at", window=12, false_alarms=0.05)
    return load(folder / "t.csv", target, "t", options, 0, lambda line: None)


def test_strange_windows_are_flagged_and_false_alarms_promised(tmp_path: Path) -> None:
    data = loaded(swinging(), tmp_path, "state")
    assert data.spec.inputs[0].channels == ("left", "right")
    write_task(tmp_path / "t", data.spec, data.test)
    for recipe in recipes(data):
        trained = train(recipe, data, 0, lambda share: None)
        card = export_model(data, recipe, trained, tmp_path / "t", 0)
        assert card.parity.agreement == 1.0
        assert card.calibration.false_alarms == 0.05
        assert card.overall is not None
        assert (card.overall.roc_auc or 0) > 0.85, card.model
    served = load_ladder(tmp_path, "t", OnnxCpuRuntime())
    assert not served.refused
    assert {m.card.model for m in served.models} == {
        "mahalanobis", "isolation-forest", "autoencoder"}  # fmt: skip
    short = np.full((1, 12, 2), np.nan, np.float32)
    short[0, -1] = (0.5, 40.0)
    for model in served.models:
        (answer,) = model.loaded.run({"sequence": short})
        assert np.isfinite(answer).all()
        assert answer[1] > 0.5, model.card.model  # far from anything that was seen


def test_without_a_target_all_windows_are_normal(tmp_path: Path) -> None:
    frame = swinging()
    tight = frame[frame["state"] == "tight"].drop(columns="state")
    data = loaded(tight, tmp_path, None)
    assert not data.train.targets.any()
    model = recipes(data)[0].fit(data, 0, lambda share: None)
    turned = data.test.inputs["sequence"] * np.float32([1, -1])
    usual, strange = model.predict(data.test.inputs), model.predict({"sequence": turned})
    assert np.median(strange) > 3 * np.median(usual)


def test_a_channel_that_moves_in_strange_windows_alone_tells_them(tmp_path: Path) -> None:
    frame = swinging()
    frame["right"] = frame["right"].where(frame["state"] == "loose", 4.0)
    data = loaded(frame, tmp_path, "state")
    strange = data.test.targets == 1
    for recipe in recipes(data):
        if recipe.name == "isolation-forest":  # it splits by what varies among normal windows
            continue
        scores = recipe.fit(data, 0, lambda share: None).predict(data.test.inputs)
        assert np.median(scores[strange]) > 3 * np.median(scores[~strange]), recipe.name
