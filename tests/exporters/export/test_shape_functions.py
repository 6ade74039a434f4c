"""Many small trees as one look-up tree a feature or pair: the same sums, on every input."""

import numpy as np
import onnxruntime as ort
import pytest
from numpy.typing import NDArray
from ounce_exporters.export.shape_functions import collapse
from ounce_exporters.export.tree_reading import read_ensemble
from ounce_exporters.export.trees import FEATURES, Ensemble, emit
from ounce_schemas.errors import ExportError
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.tree import DecisionTreeRegressor

GROUPS = [(0,), (1,), (2,), (0, 1), (1, 2)]
"""A tree that asks for feature 1 first may ask for 0 on one side and for 2 on the other."""


def rows(n: int, seed: int) -> NDArray[np.float32]:
    """Numbers, places of texts, numbers; some are gaps, some extreme."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3)).astype(np.float32)
    x[:, 1] = rng.integers(0, 12, n)
    x[rng.random(x.shape) < 0.1] = np.nan
    return x


def boosted(groups: list[tuple[int, ...]]) -> HistGradientBoostingRegressor:
    x = rows(800, 0)
    filled = np.nan_to_num(x, nan=0.7)
    y = filled[:, 0] * np.isin(filled[:, 1], (2, 3, 9)) + np.sin(filled[:, 2]) * filled[:, 1]
    model = HistGradientBoostingRegressor(
        max_iter=40,
        max_leaf_nodes=4,
        max_bins=31,
        interaction_cst=groups,
        categorical_features=[False, True, False],
    )
    return model.fit(x, y)


def answers(ensemble: Ensemble, x: NDArray[np.float32]) -> NDArray[np.float32]:
    session = ort.InferenceSession(emit(ensemble).SerializeToString())
    (result,) = session.run(None, {FEATURES: x})
    return np.asarray(result)[:, 0]


def test_sums_stay_with_gaps_unknown_texts_and_extremes() -> None:
    model = boosted(GROUPS)
    ensemble = collapse(read_ensemble(model))
    assert len(ensemble.trees) <= len(GROUPS) < 40
    x = rows(600, 1)
    x[::7, 1] = 200  # a text that training has not seen
    x[1::7, 0], x[2::7, 2] = 3e38, -3e38
    x[3::7, 0], x[4::7, 2] = np.inf, -np.inf
    thresholds = np.concatenate([t.threshold[t.feature == 0] for t in ensemble.trees])
    at = thresholds[np.isfinite(thresholds)].astype(np.float32)[:80]
    x[: len(at), 0] = np.nextafter(at, np.float32(np.inf))
    np.testing.assert_allclose(answers(ensemble, x), model.predict(x), rtol=1e-5, atol=1e-5)


def test_what_a_feature_does_alone_is_one_tree() -> None:
    model = boosted([(0,), (1,), (2,)])
    ensemble = collapse(read_ensemble(model))
    assert [np.unique(t.feature[t.feature >= 0]).tolist() for t in ensemble.trees] == [
        [0],
        [1],
        [2],
    ]
    x = rows(300, 2)
    np.testing.assert_allclose(answers(ensemble, x), model.predict(x), rtol=1e-5, atol=1e-5)


def test_three_features_on_one_path_are_refused() -> None:
    x = np.nan_to_num(rows(400, 3))
    tree = DecisionTreeRegressor(max_depth=6, random_state=0).fit(x, x[:, 0] * x[:, 1] * x[:, 2])
    with pytest.raises(ExportError, match="a path asks for 3 features"):
        collapse(read_ensemble(tree))
