"""Steps beside each other answer in a graph as in scikit-learn, also those that are models."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ounce_exporters.own.answers import Session
from ounce_exporters.own.conversion import convert_columns
from ounce_exporters.own.native import from_sklearn
from ounce_schemas.errors import ExportError
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.cluster import KMeans
from sklearn.compose import make_column_transformer
from sklearn.decomposition import NMF, FactorAnalysis
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid, RadiusNeighborsClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline, make_union
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, SplineTransformer, StandardScaler

from tests.exporters.own.test_half_precision import TASK

RNG = np.random.default_rng(7)
N = 200
NUMBERS = ["lat", "lon", "age"]
FRAME = pd.DataFrame(RNG.normal(0, 1, (N, 3)).round(3), columns=NUMBERS)
FRAME["sea"] = RNG.choice(["near", "inland", "island"], N)
SCORE = FRAME["lat"] + (FRAME["lon"] > 0.5) + (FRAME["sea"] == "near") + RNG.normal(0, 0.3, N)
LABEL = pd.cut(SCORE, [-9, -0.5, 1, 9], labels=["low", "mid", "high"]).astype(str)
TWO = np.where(SCORE > 1.2, "above", "below")
GAPS = FRAME.assign(**FRAME[NUMBERS].mask(RNG.random((N, 3)) < 0.1))


def centres() -> Any:
    return KMeans(4, n_init=1, random_state=0)


def beside(*steps: Any) -> Any:
    return make_pipeline(
        make_column_transformer(*steps, (OneHotEncoder(handle_unknown="ignore"), ["sea"])),
        LogisticRegression(max_iter=500),
    )


def of_numbers(*steps: Any) -> Any:
    return make_pipeline(make_column_transformer((StandardScaler(), NUMBERS)), *steps)


def answers(model: Any, rows: pd.DataFrame) -> Any:
    session = Session(convert_columns(model, list(FRAME), ["sea"]))
    feeds = {
        port.name: rows[[port.name]].to_numpy(object if port.name == "sea" else np.float32)
        for port in session.inputs
    }
    (found,) = session.run(feeds, len(rows)).values()
    return found


MODELS: dict[str, Callable[[], Any]] = {
    "distances of two columns": lambda: beside((centres(), ["lat", "lon"])),
    "distances behind a scaler": lambda: beside(
        (make_pipeline(StandardScaler(), centres()), NUMBERS), ("passthrough", ["age"])
    ),
    "discriminants": lambda: beside((LinearDiscriminantAnalysis(), NUMBERS)),
    "both in a union": lambda: of_numbers(
        make_union(centres(), LinearDiscriminantAnalysis(), StandardScaler()),
        LogisticRegression(max_iter=500),
    ),
    "a union with weights": lambda: of_numbers(
        FeatureUnion(
            [("far", centres()), ("own", StandardScaler())], transformer_weights={"far": 2}
        ),
        LogisticRegression(max_iter=500),
    ),
    "factors": lambda: of_numbers(FactorAnalysis(2), LogisticRegression(max_iter=500)),
    "the nearest centre": lambda: of_numbers(NearestCentroid()),
    "the nearest of equal centres": lambda: of_numbers(NearestCentroid(priors="uniform")),
    "the nearest of shrunk centres": lambda: of_numbers(NearestCentroid(shrink_threshold=0.2)),
}


@pytest.mark.parametrize("what", MODELS)
@pytest.mark.parametrize("labels", [LABEL, TWO], ids=["three", "two"])
def test_steps_beside_each_other(what: str, labels: Any) -> None:
    model = MODELS[what]().fit(FRAME, labels)
    np.testing.assert_allclose(answers(model, FRAME), model.predict_proba(FRAME), atol=1e-4)


def test_a_gap_is_no_spline_where_it_shall_be_none() -> None:
    model = beside((SplineTransformer(handle_missing="zeros"), NUMBERS)).fit(GAPS, LABEL)
    np.testing.assert_allclose(answers(model, GAPS), model.predict_proba(GAPS), atol=1e-4)


def test_distances_behind_what_fills_gaps() -> None:
    model = beside((make_pipeline(SimpleImputer(), centres()), NUMBERS)).fit(GAPS, LABEL)
    np.testing.assert_allclose(answers(model, GAPS), model.predict_proba(GAPS), atol=1e-4)


class Doubler(TransformerMixin, BaseEstimator):
    """A step of a person's own."""

    def fit(self, x: Any, y: Any = None) -> "Doubler":
        self.width_ = x.shape[1]
        return self

    def transform(self, x: Any) -> Any:
        return x * 2


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "parts of no sign": (
        lambda: of_numbers(MinMaxScaler(), NMF(2, max_iter=1), LogisticRegression(max_iter=500)),
        "no converter for NMF: put what it makes into the table as columns, or add an ONNX file",
    ),
    "a step of one's own": (
        lambda: of_numbers(Doubler(), LogisticRegression(max_iter=500)),
        r"no converter for Doubler( of tests)?: put what it makes into the table as columns",
    ),
    "rows within a radius": (
        lambda: of_numbers(RadiusNeighborsClassifier(9.0)),
        "a RadiusNeighborsClassifier has no answer where no row is near: use KNeighborsClassifier",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
@pytest.mark.filterwarnings("ignore:Maximum number of iterations")
def test_what_can_not_be_converted_is_named_with_a_way_out(what: str) -> None:
    make, says = REFUSED[what]
    model = make().fit(FRAME, LABEL)
    with pytest.raises(ExportError, match=says):
        answers(model, FRAME)


def native_answers(model: Any, rows: Any) -> Any:
    native = from_sklearn(model, TASK).native
    assert native is not None
    return native({"input": rows})


@pytest.mark.parametrize(
    ("place", "lacks"),
    [(0, "keep_empty_features"), (1, "effective_metric_")],
    ids=["to answer", "to convert"],
)
def test_what_another_scikit_learn_has_saved_is_named(place: int, lacks: str) -> None:
    rows = FRAME[NUMBERS].to_numpy(np.float32)
    model = make_pipeline(SimpleImputer(), KNeighborsClassifier()).fit(rows, TWO)
    delattr(model[place], lacks)
    with pytest.raises(ExportError, match=f"has no '{lacks}': another scikit-learn than .* saved"):
        native_answers(model, rows)
