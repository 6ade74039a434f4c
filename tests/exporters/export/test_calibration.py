"""Calibration: honest on average, and never another class or value."""

import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from onnx import TensorProto, helper
from ounce_exporters.evaluation.figures import expected_calibration_error
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
    calibrated = Temperature(temperature).apply(np.log(probabilities))
    assert calibrated.sum(axis=1) == pytest.approx(1, abs=1e-5)
    # Two classes a rounding apart may tie, so the first of before is among the first of after.
    of_first = calibrated[np.arange(len(calibrated)), probabilities.argmax(axis=1)]
    assert of_first == pytest.approx(calibrated.max(axis=1), abs=1e-5)


@pytest.mark.parametrize("sharpened", [0.3, 3.0])
def test_a_known_temperature_is_found_again(sharpened: float) -> None:
    logits, targets = honest_logits(20_000)
    distorted = (logits / sharpened).astype(np.float32)
    temperature = fit_temperature(distorted, targets)
    assert temperature == pytest.approx(1 / sharpened, rel=0.1)
    before = expected_calibration_error(Temperature(1).apply(distorted), targets)
    after = expected_calibration_error(Temperature(temperature).apply(distorted), targets)
    assert after < before / 3


def honest_logits(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits of four classes, shape (n, 4), and targets that are drawn from their probabilities."""
    rng = np.random.default_rng(seed)
    truth = rng.dirichlet(np.full(4, 0.5), size=n)
    targets = (rng.random(n)[:, None] > truth.cumsum(axis=1)).sum(axis=1).clip(0, 3)
    return np.log(np.maximum(truth, 1e-12)), targets


def test_a_few_items_do_not_make_calibration_worse_than_none() -> None:
    """Of logits that are honest already, a fit to 30 items is noise: most are left alone, and what
    is fitted costs little on new items."""
    new_logits, new_targets = honest_logits(20_000, seed=1)
    without = expected_calibration_error(Temperature(1).apply(new_logits), new_targets)
    temperatures = [fit_temperature(*honest_logits(30, seed)) for seed in range(40)]
    assert temperatures.count(1.0) >= 20
    errors = [
        expected_calibration_error(Temperature(t).apply(new_logits), new_targets) - without
        for t in temperatures
    ]
    assert np.mean(errors) < 0.02


def test_a_fit_to_few_right_answers_leaves_room_for_a_wrong_one() -> None:
    """Thirty right answers of thirty show no certainty, however sure the model is."""
    targets = np.arange(30) % 3
    logits = np.full((30, 3), -1.0, np.float32)
    logits[np.arange(30), targets] = 1.0
    confidence = Temperature(fit_temperature(logits, targets)).apply(logits).max(axis=1)
    assert 0.9 < confidence.min() <= confidence.max() < 0.99


def test_exact_zeros_and_ones_stay_finite() -> None:
    logits = np.array([[0, -200], [-200, 0]] * 10, np.float32)
    temperature = fit_temperature(logits, np.array([0, 1] * 10))
    assert np.isfinite(Temperature(temperature).apply(logits)).all()


def test_a_model_that_diverged_gets_no_temperature() -> None:
    assert fit_temperature(np.full((20, 2), np.nan, np.float32), np.arange(20) % 2) == 1.0


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


@pytest.mark.parametrize("temperature", [0.3, 1.3, 8.0])
@pytest.mark.parametrize("spread", [3, 100])
def test_a_graph_answers_as_the_temperature_applied_natively(
    temperature: float, spread: float
) -> None:
    """Also of logits so far apart that their probabilities are under any cut."""
    logits = np.random.default_rng(2).normal(0, spread, size=(50, 4)).astype(np.float32)
    node = helper.make_node("Identity", ["input"], [UNCALIBRATED])
    tensors = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 4])
        for name in ("input", UNCALIBRATED)
    ]
    model = helper.make_model(helper.make_graph([node], "four", tensors[:1], tensors[1:]))
    task = TaskSpec(
        name="four",
        kind="classification",
        description="Which of four.",
        inputs=(TensorSpec(name="input", datatype="FP32", shape=(4,)),),
        labels=("a", "b", "c", "d"),
    )
    graph = Temperature(temperature).attach(normalize(model), task)
    session = ort.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    answer = session.run(None, {"input": logits})[0]
    np.testing.assert_allclose(answer, Temperature(temperature).apply(logits), atol=1e-5)
