"""Figures against values computed by hand or published."""

import numpy as np
import pytest
from ounce_exporters.evaluation.figures import (
    class_figures,
    estimate_accuracy,
    expected_calibration_error,
    regression_figures,
)
from ounce_schemas.task import TaskSpec, TensorSpec

INPUTS = (TensorSpec(name="input", datatype="FP32", shape=(1,)),)
REGRESSION = TaskSpec(
    name="sum",
    kind="regression",
    description="Made for a test.",
    inputs=INPUTS,
    tolerance=1.0,
    interval_coverage=0.9,
)


def test_expected_calibration_error_by_hand() -> None:
    # Two bins: (0, 0.5] holds the confidence 0.5 (wrong), (0.5, 1] holds 0.6, 0.9 (right), 0.9
    # (wrong). Gaps: |0.5 - 0| of 1 item, |0.8 - 2/3| of 3 items.
    probabilities = np.array([[0.5, 0.5], [0.6, 0.4], [0.1, 0.9], [0.9, 0.1]], np.float32)
    targets = np.array([1, 0, 1, 1])
    expected = (0.5 * 1 + (0.8 - 2 / 3) * 3) / 4
    assert expected_calibration_error(probabilities, targets, bins=2) == pytest.approx(expected)


def test_certain_and_right_has_no_calibration_error() -> None:
    probabilities = np.eye(3, dtype=np.float32)
    assert expected_calibration_error(probabilities, np.arange(3)) == 0


def test_class_figures_by_hand() -> None:
    probabilities = np.eye(2, dtype=np.float32)[[0, 0, 0, 1]]
    a, b = class_figures(("a", "b"), probabilities, np.array([0, 0, 1, 1]))
    assert (a.precision, a.recall, a.support) == (pytest.approx(2 / 3), 1.0, 2)
    assert (b.precision, b.recall, b.f1) == (1.0, 0.5, pytest.approx(2 / 3))


def test_a_class_that_is_never_predicted_has_figures_of_zero() -> None:
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2]], np.float32)
    figures = class_figures(("a", "b"), probabilities, np.array([0, 1]))
    assert (figures[1].precision, figures[1].recall, figures[1].f1) == (0, 0, 0)


def test_a_value_is_accepted_within_the_tolerance() -> None:
    estimates = np.array([[0, -2, 2], [5, 3, 7], [9, 7, 11], [0, -2, 2]], np.float32)
    targets = np.array([1.0, 5.5, 7.0, 3.0], np.float32)
    accuracy = estimate_accuracy(REGRESSION, estimates, targets)
    assert (accuracy.value, accuracy.n) == (0.5, 4)


def test_regression_figures_by_hand() -> None:
    estimates = np.array([[0, -2, 2], [5, 3, 7], [9, 7, 11], [0, -2, 2]], np.float32)
    figures = regression_figures(estimates, np.array([1.0, 5.0, 7.0, 3.0], np.float32))
    assert figures.mean_absolute_error == pytest.approx(1.5)
    assert figures.root_mean_squared_error == pytest.approx(np.sqrt(14 / 4))
    assert figures.r2 == pytest.approx(1 - 14 / 20)
    assert (figures.interval_coverage, figures.interval_width) == (0.75, 4)
