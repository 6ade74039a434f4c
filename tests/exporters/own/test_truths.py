"""Columns of True and False, which are texts in a table of a file, and numbers for a model."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import TensorProto, helper, numpy_helper
from ounce_exporters.ladder.recipe import Split
from ounce_exporters.own.native import from_sklearn
from ounce_exporters.own.onnx_file import read_onnx
from ounce_exporters.own.wrapping import Foreign, Outputs, wrap
from ounce_schemas.cells import Cell
from ounce_schemas.errors import ExportError
from ounce_schemas.task import TaskSpec, TensorSpec
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

RNG = np.random.default_rng(6)
FRAME = pd.DataFrame({"warm": RNG.normal(size=300).round(3), "open": RNG.random(300) < 0.5})
TRUTH = np.where(FRAME["open"] ^ (FRAME["warm"] > 1), "yes", "no")
TASK = TaskSpec(
    name="t",
    kind="classification",
    description="A task.",
    inputs=(
        TensorSpec(name="numbers", shape=(1,), datatype="FP32", columns=("warm",)),
        TensorSpec(
            name="texts",
            shape=(1,),
            datatype="BYTES",
            columns=("open",),
            cells=(Cell(column="open", read="text", texts=("False", "True")),),
        ),
    ),
    labels=("no", "yes"),
)
INPUTS = {
    "numbers": FRAME[["warm"]].to_numpy(np.float32),
    "texts": FRAME[["open"]].astype(str).to_numpy(object),
}
SPLIT = Split(INPUTS, (TRUTH == "yes").astype(np.int64))
COUNTS = "what is neither True nor False in 'open' counts as False"


def encoder(kind: Any) -> Any:
    return make_column_transformer((kind, ["open"]), remainder="passthrough")


def texts(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.astype({"open": str})


MODELS: dict[str, tuple[Callable[[], Any], bool]] = {
    "a linear model": (LogisticRegression, True),
    "scaled": (lambda: make_pipeline(StandardScaler(), LogisticRegression()), True),
    "trees": (lambda: RandomForestClassifier(5, random_state=0), False),
    "boosting": (lambda: HistGradientBoostingClassifier(max_iter=5), False),
    "a column of its own": (
        lambda: make_pipeline(encoder("passthrough"), LogisticRegression()),
        True,
    ),
    "categories": (
        lambda: make_pipeline(
            encoder(OneHotEncoder(handle_unknown="ignore")), LogisticRegression()
        ),
        False,
    ),
    "categories of boosting behind their numbers": (
        lambda: make_pipeline(
            make_column_transformer(
                (OrdinalEncoder(), ["open"]),
                remainder="passthrough",
                verbose_feature_names_out=False,
            ),
            HistGradientBoostingClassifier(max_iter=5, categorical_features=["open"]),
        ).set_output(transform="pandas"),
        False,
    ),
    "numbers of categories": (
        lambda: make_pipeline(
            encoder(OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)),
            LogisticRegression(),
        ),
        False,
    ),
}


@pytest.mark.parametrize("what", MODELS)
def test_a_model_of_booleans_answers_as_it_does_for_a_frame(what: str) -> None:
    make, counts_false = MODELS[what]
    model = make().fit(FRAME, TRUTH)
    foreign = from_sklearn(model, TASK)
    own, notes = wrap(foreign, TASK, SPLIT, Outputs())
    assert (COUNTS in notes) == counts_false
    assert foreign.native is not None
    wanted = model.predict_proba(FRAME)
    np.testing.assert_allclose(foreign.native(INPUTS), wanted, atol=1e-6)
    graph = Foreign(own.to_onnx(), "again")
    again, _ = wrap(graph, TASK, SPLIT, Outputs())
    np.testing.assert_allclose(np.exp(again.predict(INPUTS)), wanted, atol=1e-5)


def test_a_model_of_texts_goes_on_with_texts() -> None:
    model = make_pipeline(encoder(OneHotEncoder(handle_unknown="ignore")), LogisticRegression())
    model.fit(texts(FRAME), TRUTH)
    native = from_sklearn(model, TASK).native
    assert native is not None
    np.testing.assert_allclose(native(INPUTS), model.predict_proba(texts(FRAME)), atol=1e-6)


@pytest.mark.parametrize(
    ("step", "rows"),
    [
        (OneHotEncoder(), FRAME > 0),
        (
            encoder(make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder())),
            FRAME.astype({"open": object}),
        ),
    ],
    ids=["of numbers", "behind another step"],
)
def test_booleans_of_no_column_of_true_and_false_are_refused(step: Any, rows: Any) -> None:
    model = make_pipeline(step, LogisticRegression()).fit(rows, TRUTH)
    with pytest.raises(ExportError, match=r"reads no column of True and False .*: fit it on texts"):
        from_sklearn(model, TASK)


@pytest.mark.parametrize("kind", [TensorProto.BOOL, TensorProto.INT64, TensorProto.FLOAT])
def test_an_input_of_a_file_takes_true_and_false(kind: int, tmp_path: Path) -> None:
    weights = numpy_helper.from_array(np.array([[-1.0, 1.0]], np.float32), "w")
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["number", "w"], ["scores"]),
            helper.make_node("Cast", ["open"], ["number"], to=TensorProto.FLOAT),
        ],
        "mine",
        [helper.make_tensor_value_info("open", kind, ["n", 1])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 2])],
        [weights],
    )
    opsets = [helper.make_opsetid("", 17)]
    path = tmp_path / "unsorted.onnx"  # as some tools write operators
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    own, notes = wrap(Foreign(read_onnx(path), "mine"), TASK, SPLIT, Outputs())
    assert (COUNTS in notes) == (kind == TensorProto.FLOAT)
    is_open = FRAME["open"].to_numpy(np.float32)
    np.testing.assert_array_equal(own.predict(INPUTS), np.stack([-is_open, is_open], axis=1))
    onnx.checker.check_model(own.to_onnx(), full_check=True)
