"""A file that answers unlike its native model is refused."""

import numpy as np
import pytest
from ounce_exporters.export.parity import check_parity
from ounce_schemas.errors import ExportError
from ounce_schemas.task import TaskSpec, TensorSpec

INPUTS = (TensorSpec(name="input", datatype="FP32", shape=(1,)),)
CLASSES = TaskSpec(
    name="coin", kind="classification", description="A test.", inputs=INPUTS, labels=("a", "b")
)
VALUES = TaskSpec(
    name="sum",
    kind="regression",
    description="A test.",
    inputs=INPUTS,
    tolerance=1.0,
    interval_coverage=0.9,
)
NATIVE = np.tile(np.array([[0.7, 0.3]], np.float32), (2000, 1))


def changed(items: int, by: float) -> np.ndarray:
    result = NATIVE.copy()
    result[:items] += np.array([-by, by], np.float32)
    return result


def test_rounding_passes_and_is_reported() -> None:
    parity = check_parity(CLASSES, changed(2000, 1e-5), NATIVE)
    assert (parity.agreement, parity.n) == (1.0, 2000)
    assert parity.largest_difference == pytest.approx(1e-5, rel=0.1)


def test_a_single_item_on_the_other_side_of_a_threshold_passes() -> None:
    assert check_parity(CLASSES, changed(1, 0.5), NATIVE).agreement == 1999 / 2000


def test_of_two_labels_that_are_as_probable_either_passes() -> None:
    native = np.full((50, 2), 0.5, np.float32)
    exported = native + np.array([-1e-7, 1e-7], np.float32)
    assert (native.argmax(axis=1) != exported.argmax(axis=1)).all()
    assert check_parity(CLASSES, exported, native).agreement == 1


def test_labels_that_are_nearly_as_probable_are_others() -> None:
    native = np.tile(np.array([[0.50001, 0.49999]], np.float32), (50, 1))
    with pytest.raises(ExportError, match=r"0\.00% of 50 test items.* computes something else"):
        check_parity(CLASSES, native[:, ::-1], native)


def test_other_labels_fail() -> None:
    with pytest.raises(ExportError, match=r"99\.75% of 2000 test items.* as near: leave it out$"):
        check_parity(CLASSES, changed(5, 0.5), NATIVE)


def test_same_labels_with_other_probabilities_fail() -> None:
    with pytest.raises(ExportError, match=r"largest difference 0\.1 "):
        check_parity(CLASSES, changed(2000, 0.1), NATIVE)


def test_values_may_differ_by_a_hundredth_of_the_tolerance() -> None:
    native = np.zeros((100, 3), np.float32)
    assert check_parity(VALUES, native + np.float32(0.009), native).agreement == 1
    with pytest.raises(ExportError, match=r"0\.00% of 100"):
        check_parity(VALUES, native + np.float32(0.011), native)


def test_an_answer_that_is_not_finite_fails() -> None:
    exported = NATIVE.copy()
    exported[3, 0] = np.nan
    with pytest.raises(ExportError, match="1 of 2000 test items get an answer that is not finite"):
        check_parity(CLASSES, exported, NATIVE)


def test_another_shape_fails() -> None:
    with pytest.raises(ExportError, match=r"shape \[2000, 1\], the native model with \[2000, 2\]"):
        check_parity(CLASSES, NATIVE[:, :1], NATIVE)
