"""Calibration: honest on average, and never another class or value."""

import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from onnx import TensorProto, helper
from ounce_exporters.evaluation import expected_calibration_error
from ounce_exporters.export.calibration import (
    TEMPERATURES,
    ConformalInterval,
    Temperature,
    fit_half_width,
    fit_temperature,
)
from ounce_exporters.export.graphs import UNCALIBRATED, normalize
from ounce_schemas.task import TaskSpec, TensorSpec

scores = arrays(
    np.float32, st.tuples(st.integers(1, 8), st.integers(2, 6)), elements=st.floats(0, 1, width=32)
)


@given(scores, st.floats(*TEMPERATURES))
def test_temperature_keeps_the_class_that_comes_first(
    weights: np.ndarray, temperature: float
) -> None:
    probabilities = (weights + np.float32(1e-3)) / (weights + np.float32(1e-3)).sum(
        axis=1, keepdims=True
    )
    calibrated = Temperature(temperature).apply(probabilities)
    assert calibrated.sum(axis=1) == pytest.approx(1, abs=1e-5)
    # Two classes a rounding apart may tie, so the first of before is among the first of after.
    of_first = calibrated[np.arange(len(calibrated)), probabilities.argmax(axis=1)]
    assert of_first == pytest.approx(calibrated.max(axis=1), abs=1e-5)


@pytest.mark.parametrize("sharpened", [0.3, 3.0])
def test_a_known_temperature_is_found_again(sharpened: float) -> None:
    rng = np.random.default_rng(0)
    truth = rng.dirichlet(np.full(4, 0.5), size=20_000)
    targets = (rng.random(len(truth))[:, None] > truth.cumsum(axis=1)).sum(axis=1).clip(0, 3)
    distorted = truth ** (1 / sharpened)
    distorted = (distorted / distorted.sum(axis=1, keepdims=True)).astype(np.float32)
    temperature = fit_temperature(distorted, targets)
    assert temperature == pytest.approx(1 / sharpened, rel=0.1)
    after = Temperature(temperature).apply(distorted)
    before = expected_calibration_error(distorted, targets)
    assert expected_calibration_error(after, targets) < before / 3


def test_exact_zeros_and_ones_stay_finite() -> None:
    probabilities = np.eye(3, dtype=np.float32)
    temperature = fit_temperature(probabilities, np.array([0, 1, 0]))
    assert np.isfinite(Temperature(temperature).apply(probabilities)).all()


def test_half_width_is_the_conformal_order_statistic() -> None:
    values = np.zeros((9, 1), np.float32)
    targets = np.array([1, -2, 3, -4, 5, -6, 7, -8, 9], np.float32)
    assert fit_half_width(values, targets, 0.5) == 5  # k = ceil(10 * 0.5)
    assert fit_half_width(values, targets, 0.9) == 9
    assert fit_half_width(values, targets, 0.99) == 9  # too few items: the greatest error


def test_conformal_intervals_cover_new_items() -> None:
    rng = np.random.default_rng(1)
    errors = rng.standard_t(3, size=(2, 5_000)).astype(np.float32)
    half_width = fit_half_width(np.zeros((5_000, 1), np.float32), errors[0], 0.9)
    assert (np.abs(errors[1]) <= half_width).mean() == pytest.approx(0.9, abs=0.02)


def test_an_interval_surrounds_the_value() -> None:
    estimates = ConformalInterval(2.0).apply(np.array([[1.0], [-3.0]], np.float32))
    assert estimates.tolist() == [[1, -1, 3], [-3, -5, -1]]


@pytest.mark.parametrize("ends_with_softmax", [True, False])
def test_a_graph_answers_as_the_temperature_applied_natively(ends_with_softmax: bool) -> None:
    rng = np.random.default_rng(2)
    logits = rng.normal(0, 3, size=(50, 4)).astype(np.float32)
    powers = np.exp(logits)
    probabilities = powers / powers.sum(axis=1, keepdims=True)
    last = "Softmax" if ends_with_softmax else "Identity"
    nodes = [
        helper.make_node("Identity", ["input"], ["scores"]),
        helper.make_node(last, ["scores"], [UNCALIBRATED]),
    ]
    tensors = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 4])
        for name in ("input", UNCALIBRATED)
    ]
    model = helper.make_model(helper.make_graph(nodes, "four", tensors[:1], tensors[1:]))
    task = TaskSpec(
        name="four",
        kind="classification",
        description="Which of four.",
        inputs=(TensorSpec(name="input", datatype="FP32", shape=(4,)),),
        labels=("a", "b", "c", "d"),
    )
    graph = Temperature(1.3).attach(normalize(model), task)
    assert ("Log" in {node.op_type for node in graph.graph.node}) != ends_with_softmax
    session = ort.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    answer = session.run(None, {"input": logits if ends_with_softmax else probabilities})[0]
    np.testing.assert_allclose(answer, Temperature(1.3).apply(probabilities), atol=1e-4)
