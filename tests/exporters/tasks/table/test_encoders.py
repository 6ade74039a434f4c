"""Features of a table's columns: what is learned, and the same in ONNX."""

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray
from ounce_exporters.tasks.table.encoders import DateFeatures, FillGaps, TargetMeans
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, StringTensorType

RNG = np.random.default_rng(0)


def in_onnx(step: object, X: NDArray[np.generic], kind: type) -> NDArray[np.float32]:
    graph = convert_sklearn(
        step,
        initial_types=[("x", kind([None, X.shape[1]]))],
        target_opset={"": 18, "ai.onnx.ml": 3},
    )
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    result: NDArray[np.float32] = session.run(None, {"x": X})[0]
    return result


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_gaps_are_filled_and_marked(share: float) -> None:
    X = RNG.normal(size=(200, 3)).astype(np.float32)
    X[RNG.random(200) < share, 1] = np.nan
    X[RNG.random(200) < share, 2] = np.nan
    step = FillGaps().fit(X)
    features = step.transform(X)
    assert features.shape == (200, 3 + 2 * (share > 0))
    assert np.isfinite(features).all()
    if share:
        np.testing.assert_array_equal(features[:, 3], np.isnan(X[:, 1]))
        assert features[np.isnan(X[:, 1]), 1][0] == np.float32(np.nanmedian(X[:, 1]))
    X[0] = np.nan
    np.testing.assert_array_equal(in_onnx(step, X, FloatTensorType), step.transform(X))


def test_parts_of_dates_become_a_feature_for_each_value() -> None:
    X = np.array([[0, 1], [23, 1], [np.nan, 2], [0, 2]], np.float32)
    step = DateFeatures().fit(X)
    expected = [[1, 0, 1, 0], [0, 1, 1, 0], [0, 0, 0, 1], [1, 0, 0, 1]]
    assert step.transform(X).tolist() == expected
    rows = np.concatenate([X, np.array([[12, 7]], np.float32)])
    assert in_onnx(step, rows, FloatTensorType).tolist() == [*expected, [0, 0, 0, 0]]


@pytest.mark.parametrize("classes", [0, 2, 4])
def test_texts_become_means_of_the_target(classes: int) -> None:
    X = RNG.choice(np.array(["a", "b", "ü", ""], object), (400, 2))
    y = RNG.integers(0, classes, 400) if classes else RNG.normal(size=400).astype(np.float32)
    step = TargetMeans(classes).fit(X, y)
    unknown = np.array([["never", "a"]], object)
    features = step.transform(unknown)
    outcome = y == 1 if classes == 2 else y
    if classes in (0, 2):
        np.testing.assert_allclose(features[0, 0], outcome.mean(), rtol=1e-5)
        mean = outcome[X[:, 1] == "a"].mean()
        assert abs(features[0, 1] - mean) < 0.05
    rows = np.concatenate([X, unknown])
    np.testing.assert_array_equal(in_onnx(step, rows, StringTensorType), step.transform(rows))


def test_a_row_s_own_target_has_no_part_in_its_feature() -> None:
    """Texts that stand once tell nothing: a mean that held the row's own target would tell all."""
    X = np.array([[f"t{i}"] for i in range(400)], object)
    y = RNG.integers(0, 2, 400)
    features = TargetMeans(2).fit_transform(X, y)[:, 0]
    assert abs(np.corrcoef(features, y)[0, 1]) < 0.2
    leaking = TargetMeans(2).fit(X, y).transform(X)[:, 0]
    assert np.corrcoef(leaking, y)[0, 1] > 0.99
