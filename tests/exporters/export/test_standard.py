"""Scalers and trees in standard operators answer as those of `ai.onnx.ml`, and TensorRT builds
them."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_edge.models.runtimes.tensorrt.batch_profile import BatchProfile
from ounce_edge.models.runtimes.tensorrt.building import build_engine
from ounce_exporters.export.graphs import IR_VERSION, OPSET
from ounce_exporters.export.standard import (
    ML,
    NoStandardFormError,
    standardize,
    standardize_where_known,
)
from ounce_exporters.export.tensor_trees import MOST_GEMM_DEPTH, read_trees
from ounce_exporters.export.tree_reading import read_ensemble
from ounce_exporters.export.trees import emit
from ounce_exporters.lighter.forms import Form, convert
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
)
from sklearn.tree import DecisionTreeClassifier

from tests.support.tensorrt.native import unknown_operators
from tests.support.tensorrt.rtx import rtx_or_skip

N_FEATURES = 5
ESTIMATORS = {
    "one leaf": DecisionTreeClassifier(max_depth=1, min_samples_leaf=150),
    "stump": DecisionTreeClassifier(max_depth=1),
    "shallow": GradientBoostingClassifier(n_estimators=8, max_depth=3, random_state=0),
    "just shallow": DecisionTreeClassifier(max_depth=MOST_GEMM_DEPTH, random_state=0),
    "just deep": DecisionTreeClassifier(max_depth=MOST_GEMM_DEPTH + 1, random_state=0),
    "deep": ExtraTreesClassifier(n_estimators=7, random_state=0),
    "values": RandomForestRegressor(n_estimators=5, random_state=0),
    "categories": HistGradientBoostingRegressor(
        max_iter=6, categorical_features=[0], min_samples_leaf=2, max_leaf_nodes=12
    ),
}


def table(name: str) -> tuple[NDArray[np.float32], NDArray[Any]]:
    """Rows with ties, and a target; missing values where the estimator takes them."""
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 6, (200, N_FEATURES)).astype(np.float32)
    rows[:, 1:] += rng.choice([0.0, 0.5, 0.25], (200, N_FEATURES - 1)).astype(np.float32)
    score = rows[:, 0] % 3 + rows[:, 1] * (rows[:, 2] > 2)
    target: NDArray[Any] = np.digitize(score, [2, 5]) if "Class" in _kind(name) else score
    if name in ("categories", "just deep", "values", "stump"):
        rows[::7, 0] = rows[::5, 3] = np.nan
    return rows, target


def _kind(name: str) -> str:
    return type(ESTIMATORS[name]).__name__


@pytest.fixture(params=ESTIMATORS)
def case(request: pytest.FixtureRequest) -> tuple[onnx.ModelProto, NDArray[np.float32]]:
    """A graph of trees, and rows: those of the training, thresholds, extremes and gaps."""
    rows, target = table(request.param)
    model = emit(read_ensemble(ESTIMATORS[request.param].fit(rows, target)))
    [trees] = [n for n in model.graph.node if n.op_type == "TreeEnsembleRegressor"]
    thresholds = read_trees(trees).threshold
    at = np.resize(thresholds, (len(thresholds), N_FEATURES))
    ends = np.full((4, N_FEATURES), np.float32(3.4e38)) * np.array([[1], [-1], [0], [1]], "f4")
    ends[3, ::2] = np.nan
    infinite = np.array([[np.inf] * N_FEATURES, [-np.inf] * N_FEATURES], np.float32)
    return model, np.concatenate([rows, at, np.nextafter(at, np.float32(9)), ends, infinite])


def answers(model: onnx.ModelProto, rows: NDArray[np.float32]) -> NDArray[np.float32]:
    name = model.graph.input[0].name
    return OnnxCpuRuntime().load(Path("m.onnx"), model.SerializeToString()).run({name: rows})


def test_trees_answer_as_before(case: tuple[onnx.ModelProto, NDArray[np.float32]]) -> None:
    model, rows = case
    standard = standardize(model)
    onnx.checker.check_model(standard, full_check=True)
    assert {node.domain for node in standard.graph.node} == {""}
    assert [opset.domain for opset in standard.opset_import] == [""]
    np.testing.assert_allclose(answers(standard, rows), answers(model, rows), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        answers(standard, rows[:1]), answers(model, rows[:1]), rtol=1e-5, atol=1e-6
    )


@pytest.mark.rtx
def test_tensorrt_builds_trees(case: tuple[onnx.ModelProto, NDArray[np.float32]]) -> None:
    made = standardize(case[0])
    assert build_engine(rtx_or_skip(), made.SerializeToString(), BatchProfile(8, 64))
    assert unknown_operators(made) == set()


def ml_model(kind: str, **attributes: Any) -> onnx.ModelProto:
    infos = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", N_FEATURES])
        for name in ("x", "y")
    ]
    node = helper.make_node(kind, ["x"], ["y"], domain="ai.onnx.ml", **attributes)
    graph = helper.make_graph([node], "one", infos[:1], infos[1:])
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


@pytest.mark.parametrize("n", [1, N_FEATURES])
def test_a_scaler_answers_as_before(n: int) -> None:
    rng = np.random.default_rng(0)
    offset, scale = rng.normal(size=(2, n)).tolist()
    model = ml_model("Scaler", offset=offset, scale=scale)
    rows = rng.normal(size=(9, N_FEATURES)).astype(np.float32)
    np.testing.assert_array_equal(answers(standardize(model), rows), answers(model, rows))


@pytest.mark.parametrize("n", [1, N_FEATURES])
def test_an_imputer_answers_as_before(n: int) -> None:
    rng = np.random.default_rng(0)
    model = ml_model(
        "Imputer", imputed_value_floats=rng.normal(size=n).tolist(), replaced_value_float=np.nan
    )
    rows = rng.normal(size=(9, N_FEATURES)).astype(np.float32)
    rows[::2, ::2], rows[3, 1] = np.nan, np.inf
    standard = standardize(model)
    onnx.checker.check_model(standard, full_check=True)
    np.testing.assert_array_equal(answers(standard, rows), answers(model, rows))


@pytest.mark.parametrize("norm", ["L1", "L2", "MAX", None])
def test_a_normalizer_answers_as_before(norm: str | None) -> None:
    rows = np.random.default_rng(0).normal(size=(9, N_FEATURES)).astype(np.float32)
    rows[3] = 0.0
    model = ml_model("Normalizer", **({} if norm is None else {"norm": norm}))
    standard = standardize(model)
    onnx.checker.check_model(standard, full_check=True)
    np.testing.assert_allclose(answers(standard, rows), answers(model, rows), rtol=1e-6)


@pytest.mark.parametrize("shift", [{}, {"intercepts": [0.5, -1.0]}])
def test_a_linear_regression_answers_as_before(shift: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    weights = rng.normal(size=2 * N_FEATURES).tolist()
    model = ml_model("LinearRegressor", targets=2, coefficients=weights, **shift)
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 2
    rows = rng.normal(size=(9, N_FEATURES)).astype(np.float32)
    standard = standardize(model)
    onnx.checker.check_model(standard, full_check=True)
    np.testing.assert_allclose(answers(standard, rows), answers(model, rows), rtol=1e-5)


REWRITTEN: dict[str, dict[str, Any]] = {
    "Imputer": {"imputed_value_floats": [0.5], "replaced_value_float": np.nan},
    "LinearRegressor": {"targets": N_FEATURES, "coefficients": [0.5] * N_FEATURES**2},
    "Normalizer": {"norm": "L2"},
    "Scaler": {"offset": [0.5], "scale": [2.0]},
}


@pytest.mark.rtx
@pytest.mark.parametrize("kind", REWRITTEN)
def test_tensorrt_builds_what_is_rewritten(kind: str) -> None:
    made = standardize(ml_model(kind, **REWRITTEN[kind]))
    assert build_engine(rtx_or_skip(), made.SerializeToString(), BatchProfile(8, 64))
    assert unknown_operators(made) == set()


def test_other_operators_are_named() -> None:
    with pytest.raises(NoStandardFormError, match=r"^operator Binarizer has no standard form$"):
        standardize(ml_model("Binarizer", threshold=0.5))
    model = ml_model("LinearRegressor", coefficients=[1.0] * N_FEATURES, post_transform="LOGISTIC")
    with pytest.raises(NoStandardFormError, match=r"LinearRegressor: post_transform LOGISTIC$"):
        standardize(model)
    zeros = ml_model("Imputer", imputed_value_floats=[1.0], replaced_value_float=0.0)
    with pytest.raises(NoStandardFormError, match=r"Imputer: of other values than missing ones$"):
        standardize(zeros)


def test_a_model_that_has_no_standard_form_stays_as_it_is() -> None:
    model = ml_model("Binarizer", threshold=0.5)
    assert standardize_where_known(model) is model
    scaler = standardize_where_known(ml_model("Scaler", offset=[0.5], scale=[2.0]))
    assert {node.domain for node in scaler.graph.node} == {""}


def test_trees_that_are_not_known_are_named() -> None:
    rows, target = table("stump")
    model = emit(read_ensemble(ESTIMATORS["stump"].fit(rows, target)))
    [trees] = [n for n in model.graph.node if n.op_type == "TreeEnsembleRegressor"]
    trees.attribute.append(helper.make_attribute("aggregate_function", "MAX"))
    with pytest.raises(NoStandardFormError, match="operator TreeEnsembleRegressor: trees that are"):
        standardize(model)
    del trees.attribute[-1]
    [modes] = [a for a in trees.attribute if a.name == "nodes_modes"]
    modes.strings[0] = b"BRANCH_GT"
    with pytest.raises(NoStandardFormError, match=r"comparisons .*BRANCH_GT"):
        standardize(model)


@pytest.mark.parametrize("labels", [[3, 5, 9], ["a", "b", "c"]])
@pytest.mark.parametrize("lighter", [standardize, lambda m: convert(m, Form.FP16, {})])
def test_labels_of_a_list_are_picked_as_before(labels: list[Any], lighter: Any) -> None:
    """As skl2onnx writes them behind a network, where its graph was not cut."""
    nodes = [
        helper.make_node("MatMul", ["rows", "weights"], ["scores"]),
        helper.make_node("ArgMax", ["scores"], ["places"], axis=1),
        helper.make_node("ArrayFeatureExtractor", ["classes", "places"], ["label"], domain=ML),
    ]
    rng, is_text = np.random.default_rng(0), isinstance(labels[0], str)
    element = onnx.TensorProto.STRING if is_text else onnx.TensorProto.INT64
    graph = helper.make_graph(
        nodes,
        "labels",
        [helper.make_tensor_value_info("rows", onnx.TensorProto.FLOAT, [None, 4])],
        [helper.make_tensor_value_info("label", element, [1, None])],
        [
            numpy_helper.from_array(rng.normal(size=(4, 3)).astype(np.float32), "weights"),
            helper.make_tensor("classes", element, [3], labels),
        ],
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(ML, 3)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
    rows = rng.normal(size=(20, 4)).astype(np.float32)
    wanted, found = (
        ort.InferenceSession(m.SerializeToString()).run(None, {"rows": rows})[0]
        for m in (model, lighter(model))
    )
    assert len(set(wanted[0])) == 3
    assert found.tolist() == wanted.tolist()
