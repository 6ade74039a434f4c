"""Boosted trees and resampling of other libraries answer in a graph as in their own."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ounce_exporters.own.answers import Session
from ounce_exporters.own.boosters import names_of
from ounce_exporters.own.conversion import convert_columns
from ounce_exporters.own.formulas import with_decimals
from ounce_exporters.own.native import from_sklearn
from ounce_schemas.errors import ExportError
from ounce_schemas.task import TaskSpec, TensorSpec
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from tests.exporters.own.foreign import linear

RNG = np.random.default_rng(8)
N = 300
FRAME = pd.DataFrame({"warm": RNG.normal(20, 4, N).round(3), "wet": RNG.normal(50, 9, N).round(3)})
FRAME = FRAME.mask(RNG.random(FRAME.shape) < 0.05).assign(site=RNG.choice(["a", "b"], N))
SCORE = FRAME["warm"].fillna(20) - 20 + 3 * (FRAME["site"] == "a") + RNG.normal(0, 1, N)
LABEL = np.digitize(SCORE, [0, 3])
TWO = np.where(SCORE > 1, "above", "below")
NUMBERS = ["warm", "wet"]


def boosted(library: str, kind: str, **how: Any) -> Any:
    made = pytest.importorskip(library)
    pytest.importorskip("onnxmltools")
    short = {"lightgbm": "LGBM", "xgboost": "XGB"}[library]
    quiet = {"verbose": -1} if library == "lightgbm" else {}
    return getattr(made, short + kind)(n_estimators=12, random_state=0, **quiet, **how)


def behind(model: Any) -> Any:
    # LightGBM may split at a value itself; behind a scaler its last bit would say where it goes.
    columns = make_column_transformer(("passthrough", NUMBERS), (OneHotEncoder(), ["site"]))
    return make_pipeline(columns, model)


def answers(model: Any, names: list[str]) -> Any:
    texts = [name for name in names if name == "site"]
    session = Session(convert_columns(with_decimals(model), names, texts))
    feeds = {
        port.name: FRAME[[port.name]].to_numpy(object if port.name == "site" else np.float32)
        for port in session.inputs
    }
    (found,) = session.run(feeds, N).values()
    return found


LABELLING: dict[str, Callable[[Any], Any]] = {
    "behind steps": behind,
    "in a stack": lambda model: StackingClassifier([("one", behind(model))], cv=2),
    "calibrated": lambda model: CalibratedClassifierCV(behind(model), cv=2),
}


@pytest.mark.parametrize("library", ["lightgbm", "xgboost"])
@pytest.mark.parametrize("what", LABELLING)
@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_boosted_labels(library: str, what: str) -> None:
    labels = (LABEL > 0).astype(int) if what == "in a stack" else LABEL
    model = LABELLING[what](boosted(library, "Classifier")).fit(FRAME, labels)
    found = answers(model, list(FRAME))
    np.testing.assert_allclose(found, model.predict_proba(FRAME), atol=1e-4)


@pytest.mark.parametrize("library", ["lightgbm", "xgboost"])
def test_boosted_values_of_a_frame(library: str) -> None:
    model = boosted(library, "Regressor").fit(FRAME[NUMBERS], SCORE)
    assert names_of(model) == NUMBERS
    np.testing.assert_allclose(
        answers(model, NUMBERS).ravel(), model.predict(FRAME[NUMBERS]), atol=1e-4
    )


def test_a_blank_in_a_name_that_lightgbm_changes_is_found_again() -> None:
    rows = FRAME[NUMBERS].set_axis(["room temp", "wet"], axis=1)
    model = boosted("lightgbm", "Regressor").fit(rows, SCORE)
    columns = ("room temp", "wet", "wet_too")
    tensor = TensorSpec(name="numbers", shape=(3,), datatype="FP32", columns=columns)
    task = TaskSpec(
        name="t",
        kind="regression",
        description="A task.",
        inputs=(tensor,),
        tolerance=1.0,
        interval_coverage=0.9,
    )
    foreign = from_sklearn(model, task)
    assert [port.name for port in foreign.graph.graph.input] == ["room temp", "wet"]
    assert names_of(model, {"room_temp", "room temp"}) == ["room_temp", "wet"]
    numbers = FRAME.assign(more=0)[[*NUMBERS, "more"]].to_numpy(np.float32)
    assert foreign.native is not None
    answers = foreign.native({"numbers": numbers})
    np.testing.assert_allclose(answers, model.predict(rows), atol=1e-4)


def test_texts_that_it_has_learned_itself_are_refused_in_one_line() -> None:
    rows = FRAME.astype({"site": "category"})
    model = boosted("lightgbm", "Classifier").fit(rows, TWO)
    with pytest.raises(ExportError, match="LGBMClassifier takes numbers: some columns hold texts"):
        answers(model, list(FRAME))


def test_trees_that_can_not_be_written_are_refused_in_one_line() -> None:
    model = boosted("xgboost", "Regressor", booster="gblinear").fit(FRAME[NUMBERS].fillna(0), SCORE)
    with pytest.raises(ExportError, match="this XGBRegressor can't be written as ONNX"):
        answers(model, NUMBERS)


def test_a_converter_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class FakeBoosting(LogisticRegression):
        """A class whose package is LightGBM."""

    FakeBoosting.__module__ = "lightgbm.sklearn"
    monkeypatch.setitem(sys.modules, "onnxmltools", None)
    model = FakeBoosting().fit(FRAME[NUMBERS].fillna(0), TWO)
    with pytest.raises(ExportError, match=r"not installed: pip install 'ounce\[boosters\]'"):
        answers(model, NUMBERS)


class FakeCatBoost(RegressorMixin, BaseEstimator):
    """Writes itself, and names its columns as CatBoost does."""

    n_features_in_ = 2
    feature_names_ = NUMBERS

    def save_model(self, path: str, format: str) -> None:
        assert format == "onnx"
        linear(Path(path), weights=np.array([[2.0], [1.0]]))


FakeCatBoost.__module__ = "catboost.core"


def test_a_model_that_writes_itself_is_read() -> None:
    model = FakeCatBoost()
    assert names_of(model) == NUMBERS
    wanted = (FRAME["warm"] - 20) * 2 + FRAME["wet"] - 20
    np.testing.assert_allclose(answers(model, NUMBERS).ravel(), wanted, rtol=1e-5)
    model.feature_names_ = ["0", "1"]  # as of an array
    assert names_of(model) is None


def test_rows_that_are_drawn_to_learn_change_no_answer() -> None:
    pytest.importorskip("imblearn")
    from imblearn.ensemble import BalancedBaggingClassifier
    from imblearn.over_sampling import RandomOverSampler
    from imblearn.pipeline import make_pipeline as pipeline_of_samplers

    columns = make_column_transformer((StandardScaler(), NUMBERS), (OneHotEncoder(), ["site"]))
    rows = FRAME.fillna({"warm": 20, "wet": 50})
    for model in (
        pipeline_of_samplers(columns, RandomOverSampler(random_state=0), LogisticRegression()),
        make_pipeline(columns, BalancedBaggingClassifier(n_estimators=3, random_state=0)),
    ):
        model.fit(rows, TWO)
        session = Session(convert_columns(model, list(rows), ["site"]))
        feeds = {
            name: rows[[name]].to_numpy(object if name == "site" else np.float32) for name in rows
        }
        (found,) = session.run(feeds, N).values()
        np.testing.assert_allclose(found, model.predict_proba(rows), atol=1e-4)
