"""A model may read columns that hold one value: a task leaves them out and keeps the value."""

from pathlib import Path

import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import TensorProto, helper
from ounce_exporters.own.answers import Session
from ounce_exporters.own.constants import with_constants
from ounce_exporters.own.ladders import find_ladder
from ounce_exporters.own.native import from_sklearn
from ounce_exporters.own.splits import Rows
from ounce_exporters.own.wrapping import Outputs, wrap
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from tests.exporters.own.foreign import rooms


def test_a_pipeline_reads_columns_of_one_value(tmp_path: Path) -> None:
    table = rooms().drop(columns="watts").assign(plant="seven", line=3, more=0.5)
    table.to_csv(tmp_path / "rooms.csv", index=False)
    rows = Rows(tmp_path / "rooms.csv", "busy")
    judges = find_ladder(tmp_path, "rooms", rows, lambda line: None)
    assert judges.data.spec.constants == {"plant": "seven", "line": 3.0, "more": 0.5}
    columns = make_column_transformer(
        (StandardScaler(with_mean=False), ["warm", "line", "more"]),
        (OneHotEncoder(handle_unknown="ignore"), ["site", "plant"]),
    )
    frame = pd.read_csv(tmp_path / "rooms.csv")
    model = make_pipeline(columns, LogisticRegression()).fit(frame, frame["busy"])
    task = judges.data.spec
    own, _ = wrap(from_sklearn(model, task), task, judges.data.validation, Outputs())
    inputs = judges.data.test.inputs
    (found,) = Session(own.to_onnx()).run(inputs, len(judges.data.test)).values()
    np.testing.assert_allclose(found, own.predict(inputs), atol=1e-3)


@pytest.mark.parametrize("how", ["encoded", "as a number"])
@pytest.mark.parametrize("value", [True, False])
def test_a_column_that_is_always_true_or_false_is_one(
    tmp_path: Path, how: str, value: bool
) -> None:
    table = rooms().drop(columns="watts").assign(open=value)
    table.to_csv(tmp_path / "rooms.csv", index=False)
    judges = find_ladder(tmp_path, "rooms", Rows(tmp_path / "rooms.csv", "busy"), lambda line: None)
    task = judges.data.spec
    encoder = OneHotEncoder(handle_unknown="ignore")
    columns = make_column_transformer(
        (StandardScaler(), ["warm", "wet"]),
        (encoder, ["site", "open"] if how == "encoded" else ["site"]),
        remainder="passthrough",
    )
    frame = pd.read_csv(tmp_path / "rooms.csv")
    inputs, labels = frame.drop(columns="busy"), frame["busy"]
    assert inputs["open"].dtype == bool
    model = make_pipeline(columns, LogisticRegression(max_iter=500)).fit(inputs, labels)
    foreign = from_sklearn(model, task)
    own, _ = wrap(foreign, task, judges.data.validation, Outputs())
    rows = judges.data.test.inputs
    (found,) = Session(own.to_onnx()).run(rows, len(judges.data.test)).values()
    np.testing.assert_allclose(found, own.predict(rows), atol=1e-3)


@pytest.mark.parametrize(
    ("kind", "value", "taken"),
    [
        (TensorProto.FLOAT, "seven", False),
        (TensorProto.FLOAT, 0.5, True),
        (TensorProto.INT64, 0.5, False),
        (TensorProto.INT64, 2.0, True),
        (TensorProto.FLOAT, "TRUE", True),
        (TensorProto.BOOL, "false", True),
    ],
)
def test_an_input_of_another_kind_than_the_value_stays(
    kind: int, value: float | str, taken: bool
) -> None:
    ports = [helper.make_tensor_value_info(name, kind, ["n", 1]) for name in ("x", "line")]
    answer = helper.make_tensor_value_info("y", kind, ["n", 1])
    graph = helper.make_graph([helper.make_node("Add", ["x", "line"], ["y"])], "g", ports, [answer])
    model: onnx.ModelProto = helper.make_model(graph)
    left = [port.name for port in with_constants(model, {"line": value}).graph.input]
    assert left == (["x"] if taken else ["x", "line"])
