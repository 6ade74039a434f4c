"""Trees as one node: the graph answers as scikit-learn does, also on hostile inputs."""

from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from numpy.typing import NDArray
from ounce_exporters.export.tree_reading import is_tree_ensemble, read_ensemble
from ounce_exporters.export.trees import FEATURES, as_logits, count_numbers, emit, not_above
from ounce_schemas.errors import ExportError
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

N_FEATURES = 5
CATEGORICAL = [False, True, False, False, True]
"""Not the first ones: scikit-learn puts them first inside."""

TAKES_MISSING = [
    DecisionTreeClassifier(max_depth=6),
    DecisionTreeRegressor(max_depth=6),
    RandomForestClassifier(8, max_depth=7),
    RandomForestRegressor(8, max_depth=7),
    ExtraTreesClassifier(8, max_depth=7),
    ExtraTreesRegressor(8, max_depth=7),
    HistGradientBoostingClassifier(max_iter=8),
    HistGradientBoostingRegressor(max_iter=8),
    HistGradientBoostingRegressor(loss="poisson", max_iter=8),
    HistGradientBoostingRegressor(loss="gamma", max_iter=8),
    HistGradientBoostingClassifier(max_iter=8, categorical_features=CATEGORICAL),
    HistGradientBoostingRegressor(max_iter=8, categorical_features=CATEGORICAL),
]
TAKES_NONE_MISSING = [
    GradientBoostingClassifier(n_estimators=8),
    GradientBoostingClassifier(n_estimators=8, loss="exponential"),
    GradientBoostingRegressor(n_estimators=8),
    GradientBoostingRegressor(n_estimators=8, loss="huber"),
]


def rows(rng: np.random.Generator, n: int, *, missing: bool) -> NDArray[np.float32]:
    """Numbers with many ties, and two columns of categories, more than one word of bits wide."""
    x = rng.normal(size=(n, N_FEATURES)).astype(np.float32)
    x[:, 0] = np.round(x[:, 0] * 4) / 4
    x[:, 1] = rng.integers(0, 5, n)
    x[:, 4] = rng.integers(0, 40, n)
    if missing:
        x[rng.random(x.shape) < 0.15] = np.nan
    return x


def hostile(rng: np.random.Generator, x: NDArray[np.float32], *, missing: bool) -> Any:
    """Rows like these, with values next to those of training, huge ones and unknown categories."""
    x = x.copy()
    above, below = np.float32(np.inf), np.float32(-np.inf)
    x[::5, 0] = np.nextafter(x[::5, 0], above)
    x[1::5, 0] = np.nextafter(x[1::5, 0], below)
    x[2::7, 2], x[3::7, 3] = 3e38, -3e38
    x[::6, 4] = rng.integers(-3, 300, len(x[::6]))
    if not missing:
        x = np.nan_to_num(x, posinf=3e38, neginf=-3e38)
    return x


def answer(model: onnx.ModelProto, x: NDArray[np.float32]) -> NDArray[np.float32]:
    onnx.checker.check_model(model, full_check=True)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (result,) = session.run(None, {FEATURES: x})
    return np.asarray(result)


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("estimator", TAKES_MISSING + TAKES_NONE_MISSING, ids=str)
def test_the_graph_answers_as_scikit_learn(estimator: Any, n_classes: int) -> None:
    rng = np.random.default_rng(n_classes)
    missing = any(estimator is each for each in TAKES_MISSING)
    x = rows(rng, 600, missing=missing)
    score = np.nan_to_num(x[:, 0]) + 2.0 * np.isin(x[:, 4], (1, 7, 33)) + (x[:, 1] == 3)
    classifies = hasattr(estimator, "predict_proba")
    y = np.digitize(score, [0.4, 1.0, 2.0][: n_classes - 1]) if classifies else np.exp(score)
    if getattr(estimator, "loss", "") == "exponential" and n_classes > 2:
        y = np.minimum(y, 1)
    estimator.fit(x, y)
    fresh = hostile(rng, rows(rng, 600, missing=missing), missing=missing)
    expected = estimator.predict_proba(fresh) if classifies else estimator.predict(fresh)
    found = answer(emit(read_ensemble(estimator)), fresh)
    expected = expected.reshape(len(fresh), -1)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_thresholds_split_float32_values_as_before() -> None:
    at = np.array([0.1, -0.1, 1.0, 1e-50, -1e-50, 1e300, -1e300, np.float32(0.3), 16777217.0])
    for threshold, rounded in zip(at, not_above(at), strict=True):
        with np.errstate(over="ignore"):
            near = [rounded, np.nextafter(rounded, np.float32(np.inf)), np.float32(threshold)]
        for x in near:
            assert (float(x) <= threshold) == (x <= rounded), (threshold, x)


def test_a_stump_with_one_leaf_answers_always_the_same() -> None:
    x = np.zeros((10, 2), np.float32)
    tree = DecisionTreeRegressor().fit(x, np.full(10, 3.5))
    assert answer(emit(read_ensemble(tree)), x).tolist() == [[3.5]] * 10


@pytest.mark.parametrize("shares", [(9, 21), (6, 9, 15)])
def test_boosting_of_too_few_rows_to_split_answers_with_the_shares(shares: tuple[int, ...]) -> None:
    targets = np.repeat(np.arange(len(shares)), shares)
    x = rows(np.random.default_rng(0), 30, missing=False)
    model = HistGradientBoostingClassifier(max_iter=4).fit(x, targets)
    graph = emit(as_logits(read_ensemble(model)))
    (logits,) = ort.InferenceSession(graph.SerializeToString()).run(None, {FEATURES: x})
    powers = np.exp(logits.astype(np.float64))
    np.testing.assert_allclose(
        powers / powers.sum(axis=1, keepdims=True), model.predict_proba(x), atol=1e-6
    )


def test_learned_numbers_are_counted() -> None:
    x = np.arange(8, dtype=np.float32).reshape(-1, 1)
    tree = DecisionTreeRegressor(max_depth=1).fit(x, x[:, 0] > 3)
    assert count_numbers(read_ensemble(tree)) == 3  # a threshold, and two leaves


def test_other_estimators_are_refused_by_name() -> None:
    x, y = np.eye(4, dtype=np.float32), np.arange(4) % 2
    linear = LogisticRegression().fit(x, y)
    assert not is_tree_ensemble(linear)
    with pytest.raises(ExportError, match="LogisticRegression is not an ensemble of trees"):
        read_ensemble(linear)
    two = DecisionTreeRegressor().fit(x, np.stack([y, y], axis=1))
    with pytest.raises(ExportError, match="several targets"):
        read_ensemble(two)


@pytest.mark.parametrize("options", [{}, {"max_features": 0.6}, {"max_samples": 1}])
@pytest.mark.parametrize("missing", [False, True])
def test_an_isolation_forest_is_one_node_and_exact(options: dict[str, Any], missing: bool) -> None:
    rng = np.random.default_rng(5)
    x = rows(rng, 600, missing=missing)
    forest = IsolationForest(n_estimators=50, random_state=0, **options).fit(x)
    model = emit(read_ensemble(forest))
    assert [node.op_type for node in model.graph.node] == ["TreeEnsembleRegressor", "Exp"]
    asked = np.concatenate([rows(rng, 2000, missing=missing), 50 * rows(rng, 50, missing=missing)])
    session = ort.InferenceSession(model.SerializeToString())
    (found,) = session.run(None, {FEATURES: asked})
    assert np.abs(found[:, 0] + forest.score_samples(asked)).max() < 1e-5
