"""Sequences as a person's own data: found, said, learned, exported, and what can't be used."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pandas as pd
import pytest
import torch
from ounce_edge.models.catalogue import load_ladder
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_exporters.export.artifacts import write_task
from ounce_exporters.ladder.building import export_model
from ounce_exporters.ladder.recipe import TaskData
from ounce_exporters.tasks.sequence import models
from ounce_exporters.tasks.sequence.windows import cut_windows, in_order
from ounce_exporters.tasks.table.options import TableOptions
from ounce_exporters.tasks.table.recipes import recipes
from ounce_exporters.tasks.table.task import load
from ounce_exporters.training.crossfit import train
from ounce_exporters.training.minirocket import MiniRocket, all_convolutions
from ounce_exporters.training.neural import export, run
from ounce_exporters.training.sequences import (
    SequenceCNN,
    SequenceGRU,
    SequenceMLP,
    Statistics,
    Steps,
)
from ounce_schemas.errors import DataError
from ounce_schemas.task import TensorSpec

from tests.exporters.tasks.sequence.waves import wearing, write_ts


def loaded(path: Path, target: str | None = None, **options: Any) -> tuple[TaskData, str]:
    said: list[str] = []
    data = load(path, target, "t", TableOptions(**options), 0, said.append)
    return data, "\n".join(said)


def table(frame: pd.DataFrame, folder: Path, target: str | None, **options: Any) -> Any:
    frame.to_csv(folder / "t.csv", index=False)
    return loaded(folder / "t.csv", target, **{"unit": "unit", "time": "cycle", **options})


def test_remaining_life_of_windows_is_learned_and_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "_LEAST_STEPS", 50)
    data, said = table(wearing(), tmp_path, None, window=6, remaining=10, without={"state"})
    assert "each row ends a window of 6 steps of 2 channels" in said
    assert "columns 'setting' are no channels: their value never changes" in said
    (tensor,) = data.spec.inputs
    assert (tensor.shape, tensor.channels) == ((6, 2), ("heat", "load"))
    assert data.spec.kind == "regression"
    assert data.test.targets.max() == 10
    assert data.test.targets.min() == 0
    write_task(tmp_path / "t", data.spec, data.test)
    cards = {}
    for recipe in recipes(data):
        if recipe.name in ("gradient-boosting", "cnn-1d"):  # made and read as others are
            continue
        trained = train(recipe, data, 0, lambda share: None)
        cards[recipe.name] = export_model(data, recipe, trained, tmp_path / "t", 0)
    assert list(cards) == ["ridge", "minirocket", "mlp-1d", "gru"]
    assert all(card.parity.agreement == 1.0 for card in cards.values())
    assert cards["ridge"].regression.r2 > 0.6
    served = load_ladder(tmp_path, "t", OnnxCpuRuntime())
    assert not served.refused
    short = np.full((1, 6, 2), np.nan, np.float32)
    short[0, -1] = (9.0, 0.0)
    for model in served.models:
        assert np.isfinite(model.loaded.run({"sequence": short})).all()


def test_windows_of_classes(tmp_path: Path) -> None:
    frame = wearing().assign(twin=lambda rows: rows["state"])
    data, _ = table(frame, tmp_path, "state", window=4, by="twin")
    assert data.spec.labels == ("new", "worn")
    assert data.groups is not None
    assert data.groups.names.tolist() == [data.spec.labels[i] for i in data.validation.targets]
    fit = {recipe.name: recipe for recipe in recipes(data)}["logistic-regression"].fit
    model = fit(data, 0, lambda share: None)
    right = (model.predict(data.test.inputs).argmax(axis=1) == data.test.targets).mean()
    assert right > 0.8
    assert data.units is not None
    assert len(np.unique(data.units)) == 18  # the test units are others


def test_windows_keep_to_their_unit_and_to_time() -> None:
    units = np.array(["a", "b", "a", "b", "a", "a", "a"], dtype=object)
    times = np.array([2.0, 1.0, 1.0, 2.0, 9.0, 3.0, 3.0])
    order, stretches, lines = in_order(units, times)
    assert order.tolist() == [2, 0, 6, 4, 1, 3]  # the last row of time 3 counts
    assert stretches.tolist() == [0, 0, 0, 1, 2, 2]
    assert "1 row repeats a time of their unit, the first that of unit 'a' at 3" in lines[0]
    assert "1 gap in time, the first in unit 'a' after 3" in lines[1]
    values = np.arange(6, dtype=np.float32)[:, None]
    windows = cut_windows(values, stretches, 2)[:, :, 0]
    nan = np.nan
    wanted = [[nan, 0], [0, 1], [1, 2], [nan, 3], [nan, 4], [4, 5]]
    np.testing.assert_array_equal(windows, np.array(wanted, np.float32))


def test_gaps_repeats_and_single_rows_are_said(tmp_path: Path) -> None:
    frame = wearing()
    frame = pd.concat([frame.drop(index=[5, 6, 7]), frame.iloc[[30]]], ignore_index=True)
    frame = pd.concat([frame, frame.iloc[[0]].assign(unit="lone")], ignore_index=True)
    data, said = table(frame, tmp_path, "state", window=4)
    assert "1 row repeats a time" in said
    assert "1 gap in time" in said
    assert "1 stretch of a unit has a single row" in said
    assert len(data.train) + len(data.test) == len(frame) - 1  # validation is of train


def test_ts_files_of_equal_and_unequal_length(tmp_path: Path) -> None:
    first = write_ts(tmp_path / "a.ts.gz", 60, unequal=True)
    other = write_ts(tmp_path / "b.ts", 40, unequal=True, seed=1)
    data, said = loaded(first, None, test=other)
    assert "read as: 60 series of 2 channels, 24 to 32 steps" in said
    assert "series of unequal lengths: models read the last 32 steps" in said
    assert data.spec.labels == ("fast", "slow")
    assert len(data.train) == 60
    fit = {recipe.name: recipe for recipe in recipes(data)}["minirocket"].fit
    model = fit(data, 0, lambda share: None)
    margins = model.predict(data.test.inputs)
    assert margins.shape == (len(data.test), 2)
    assert (margins.argmax(axis=1) == data.test.targets).mean() > 0.9
    session = ort.InferenceSession(model.to_onnx().SerializeToString())
    (found,) = session.run(None, dict(data.test.inputs))
    assert (np.abs(found - margins).max(axis=1) < 1e-3).mean() > 0.95  # one step above or below


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("@classLabel true a b\n@data\n1,2,3:a\n:b\n", "line 4: the series has no step"),
        ("@classLabel true a b\n@data\n1,2:1,2:a\n1,2:b\n", "line 4: 1 channel, and 2 before it"),
        ("@classLabel true a b\n@data\n1,2:1:a\n", r"line 3: channels of \[1, 2\] steps"),
        ("@classLabel true a b\n@data\n1,x:a\n", "line 3: could not convert"),
        ("@classLabel true a b\n@data\nabc\n", "line 3: no colon is before the class"),
        ("@timeStamps true\n@classLabel true a\n@data\n", "has time stamps"),
        ("@classLabel false\n@data\n1,2\n", "have no class and no value"),
        ("@classLabel true a b\n@data\n", "no series is in the file"),
    ],
)
def test_a_ts_file_that_is_wrong_is_refused_with_its_line(
    text: str, error: str, tmp_path: Path
) -> None:
    (tmp_path / "a.ts").write_text(text)
    with pytest.raises(DataError, match=error):
        loaded(tmp_path / "a.ts")


def test_options_that_do_not_go_together(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    wearing(4).to_csv(path, index=False)
    with pytest.raises(DataError, match="--window needs --unit"):
        loaded(path, "state", window=4)
    with pytest.raises(DataError, match="--remaining needs --window and --unit, and no --target"):
        loaded(path, "state", window=4, unit="unit", remaining=9)
    with pytest.raises(DataError, match="--remaining is a quantity, not of --kind classification"):
        loaded(path, None, window=4, unit="unit", remaining=9, kind="classification")
    with pytest.raises(DataError, match="there is no column 'engine'"):
        loaded(path, None, window=4, unit="engine", remaining=9)
    frame = wearing(4).astype({"load": str})
    frame.loc[3, "load"] = "x"
    frame.to_csv(path, index=False)
    with pytest.raises(DataError, match="--time load: 'x' is no number and no date"):
        loaded(path, "state", window=4, unit="unit", time="load")


@pytest.mark.parametrize("kind", ["cnn", "gru", "minirocket", "mlp", "short-mlp", "statistics"])
def test_a_graph_answers_as_its_module_with_gaps_and_without(kind: str) -> None:
    """Of GRUs exporters have written the reset gate before and behind the product."""
    rng = np.random.default_rng(0)
    sequences = rng.normal(3, 2, (9, 20, 3)).astype(np.float32)
    sequences[4, :13] = np.nan
    sequences[5, :19] = np.nan
    sequences[6, 7, 1] = np.nan
    torch.manual_seed(0)
    steps = Steps(sequences)
    # Of gaps many outputs are equal: a threshold would be one of them, and rounding would decide.
    whole = sequences[:4]
    modules = {
        "cnn": lambda: SequenceCNN(steps, 4),
        "gru": lambda: SequenceGRU(steps, 4),
        "minirocket": lambda: MiniRocket(steps, all_convolutions(20, 3, rng)[:2], whole, 3),
        "mlp": lambda: SequenceMLP(steps, 4, 20),
        "short-mlp": lambda: SequenceMLP(steps, 4, 13),
        "statistics": lambda: Statistics(steps),
    }
    module = modules[kind]().eval()
    sequences = sequences[:, -13 if kind == "short-mlp" else 0 :]  # no whole number of stretches
    tensor = TensorSpec(
        name="sequence", datatype="FP32", shape=sequences.shape[1:], allow_missing=True
    )
    graph = export(module, tensor)
    session = ort.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"sequence": sequences})
    native = run(module, sequences)
    assert np.isfinite(native).all()
    np.testing.assert_allclose(found, native, atol=2e-3 if kind == "minirocket" else 2e-5)
    if kind == "gru":
        (node,) = [n for n in graph.graph.node if n.op_type == "GRU"]
        resets = [a.i for a in node.attribute if a.name == "linear_before_reset"]
        assert resets == [1]


def test_statistics_are_those_of_the_steps_that_are_there() -> None:
    sequences = np.full((1, 6, 1), np.nan, np.float32)
    sequences[0, 3:, 0] = (1.0, 2.0, 6.0)
    steps = Steps(np.array([[[0.0], [1.0], [2.0]]], np.float32))
    found = run(Statistics(steps).eval(), sequences)[0] * np.sqrt(2 / 3) + 1
    np.testing.assert_allclose(found[[0, 1, 3, 4]], [6.0, 3.0, 1.0, 6.0], rtol=1e-5)
    np.testing.assert_allclose(found[6], 4.0, rtol=1e-5)  # the mean of the last third


def test_series_of_mean_0_and_deviation_1_are_exported_by_their_statistics(tmp_path: Path) -> None:
    """Their means and deviations differ by rounding alone, which no two programs round alike."""
    path = write_ts(tmp_path / "waves.ts", 60)
    head, body = path.read_text().split("@data\n")
    lines = []
    for line in body.splitlines():
        *channels, label = line.split(":")
        values = np.array([channel.split(",") for channel in channels], float)
        values = (values - values.mean(axis=1, keepdims=True)) / values.std(axis=1, keepdims=True)
        lines.append(
            ":".join([*(",".join(f"{v:.8f}" for v in channel) for channel in values), label])
        )
    path.write_text(head + "@data\n" + "\n".join(lines) + "\n")
    data, _ = loaded(path)
    write_task(tmp_path / "t", data.spec, data.test)
    for recipe in recipes(data):
        if recipe.name in ("logistic-regression", "gradient-boosting"):
            trained = train(recipe, data, 0, lambda share: None)
            card = export_model(data, recipe, trained, tmp_path / "t", 0)
            assert card.parity.agreement == 1.0
