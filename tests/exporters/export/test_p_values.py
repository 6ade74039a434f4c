"""Conformal p-values: the graph as the native curve, and the promise."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper
from ounce_edge.wire.answers.outputs import p_values
from ounce_exporters.export.graphs import IR_VERSION, OPSET, UNCALIBRATED
from ounce_exporters.export.p_values import ConformalPValues, fewest_normal, fit_p_values
from ounce_exporters.ladder.recipe import Split
from ounce_exporters.own.wrapping import Foreign, Outputs, wrap
from ounce_schemas.errors import DataError, ExportError
from ounce_schemas.task import TaskSpec, TensorSpec

TASK = TaskSpec(
    name="t",
    kind="anomaly",
    description="t",
    inputs=(TensorSpec(name="input", datatype="FP32", shape=(1,)),),
    labels=("normal", "anomaly"),
    false_alarms=0.01,
)


def column(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float32)[:, None]


def fitted(scores: np.ndarray, rate: float = 0.01) -> ConformalPValues:
    return fit_p_values(column(scores), np.zeros(len(scores), np.int64), rate)


def graph_of(curve: ConformalPValues) -> ort.InferenceSession:
    score = helper.make_node("Identity", ["input"], [UNCALIBRATED])
    info = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["batch", 1])
            for n in ("input", UNCALIBRATED)]  # fmt: skip
    graph = helper.make_graph([score], "g", info[:1], info[1:])
    opsets = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
    onnx.checker.check_model(attached := curve.attach(model, TASK))
    return ort.InferenceSession(attached.SerializeToString())


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_the_graph_gives_the_native_curve(scale: float) -> None:
    rng = np.random.default_rng(0)
    curve = fitted(rng.gamma(2.0, size=3000) * scale)
    asked = column(np.linspace(-2, 40, 2000) * scale)
    (found,) = graph_of(curve).run(None, {"input": asked})
    wanted = curve.apply(asked)
    assert np.abs(found - wanted).max() < 1e-4
    assert np.isfinite(
        graph_of(curve).run(None, {"input": column(np.array([3e38, -3e38]))})[0]
    ).all()


def test_new_normal_items_are_flagged_as_often_as_promised() -> None:
    rng = np.random.default_rng(1)
    rates = []
    for _ in range(60):
        curve = fitted(rng.normal(size=999), 0.05)
        answers = curve.apply(column(rng.normal(size=2000)))
        rates.append(float((answers.argmax(axis=1) == 1).mean()))
    assert 0.045 < np.mean(rates) < 0.055


@pytest.mark.parametrize("distinct", [2, 5, 40])
def test_ties_never_raise_more_alarms(distinct: int) -> None:
    rng = np.random.default_rng(2)
    scores = rng.integers(0, distinct, 2000)
    answers = fitted(scores, 0.1).apply(column(scores))
    assert (answers.argmax(axis=1) == 1).mean() <= 0.1


def test_p_values_are_ranks_and_keep_the_order_beyond_them() -> None:
    scores = np.random.default_rng(3).normal(size=2000)
    answers = fitted(scores).apply(column(np.array([-9.0, 0.0, 2.0, 4.0, 6.0, 8.0])))
    p = p_values(answers, 0.01)
    assert p[0] == pytest.approx(1.0, rel=1e-4)
    assert p[1] == pytest.approx(0.5, abs=0.03)
    assert p[2] == pytest.approx(0.0228, abs=0.01)
    assert (np.diff(p) < 0).all()


def test_anomalies_do_not_count() -> None:
    rng = np.random.default_rng(4)
    normal, strange = rng.normal(size=500), rng.normal(9.0, size=500)
    targets = np.repeat([0, 1], 500)
    with_both = fit_p_values(column(np.concatenate([normal, strange])), targets, 0.02)
    assert with_both == fitted(normal, 0.02)


@pytest.mark.parametrize(("rate", "n"), [(0.01, 99), (0.05, 19), (0.3, 3)])
def test_fewer_items_than_can_show_the_rate_are_refused(rate: float, n: int) -> None:
    assert fewest_normal(rate) == n
    scores = np.arange(float(n))
    answers = fitted(scores, rate).apply(column(np.array([n + 1.0])))
    assert answers.argmax() == 1
    with pytest.raises(DataError, match=f"at least {n} are needed"):
        fitted(scores[1:], rate)


def test_scores_that_are_all_the_same_are_refused() -> None:
    with pytest.raises(DataError, match="the same anomaly score"):
        fitted(np.zeros(500))


def test_a_model_made_elsewhere_is_refused() -> None:
    nothing = Split({"input": np.zeros((1, 1), np.float32)}, np.zeros(1, np.int64))
    foreign = Foreign(helper.make_model(helper.make_graph([], "g", [], [])), "a file")
    with pytest.raises(ExportError, match="it takes the models that `ounce train` makes"):
        wrap(foreign, TASK, nothing, Outputs())
