"""Pipelines of a table of decimals answer as in scikit-learn, also where it asks which value is."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from ounce_exporters.own.answers import Session
from ounce_exporters.own.conversion import convert_columns
from ounce_exporters.own.formulas import with_decimals
from ounce_schemas.errors import ExportError
from sklearn.cluster import KMeans
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.decomposition import FastICA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.experimental import enable_iterative_imputer  # noqa: F401, as scikit-learn asks
from sklearn.feature_selection import RFE, RFECV, SequentialFeatureSelector, VarianceThreshold
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor, kernels
from sklearn.impute import IterativeImputer, KNNImputer, MissingIndicator, SimpleImputer
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)
from sklearn.random_projection import SparseRandomProjection
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

NAMES = ["warm", "wet", "days"]
RNG = np.random.default_rng(5)
N = 240
FRAME = pd.DataFrame(
    {
        "warm": RNG.normal(20, 3, N).round(1),
        "wet": RNG.normal(50, 9, N).round(1),
        "days": RNG.integers(0, 9, N),
    }
)
SCORE = FRAME["warm"] - 20 + (FRAME["wet"] - 50) / 4 + FRAME["days"] - 4 + RNG.normal(0, 1, N)
LABEL = np.select([SCORE > 2, SCORE < -2], ["high", "low"], "mid")
VALUE = np.exp(SCORE / 12)
GAPS = FRAME.astype(float).mask(RNG.random(FRAME.shape) < 0.15)
EMPTY = pd.DataFrame(np.nan, index=[0], columns=NAMES)


def answers(model: Any, rows: pd.DataFrame) -> NDArray[Any]:
    session = Session(convert_columns(with_decimals(model), NAMES, ()))
    feeds = {port.name: rows[[port.name]].to_numpy(np.float32) for port in session.inputs}
    (found,) = session.run(feeds, len(rows)).values()
    return found


LABELLING: dict[str, Callable[[], Any]] = {
    "trees behind a scaler": lambda: make_pipeline(
        StandardScaler(), RandomForestClassifier(20, random_state=0)
    ),
    "boosting behind a scaler": lambda: make_pipeline(
        RobustScaler(), HistGradientBoostingClassifier(max_iter=10, max_bins=16)
    ),
    "trees behind a range that is cut": lambda: make_pipeline(
        MinMaxScaler((-1, 2), clip=True), RandomForestClassifier(20, random_state=0)
    ),
    "trees behind the largest": lambda: make_pipeline(
        MaxAbsScaler(), RandomForestClassifier(20, random_state=0)
    ),
    "a test of a value": lambda: make_pipeline(
        FunctionTransformer(lambda x: np.where(x >= 20.1, x, 0.0)), LogisticRegression()
    ),
    "shares": lambda: make_pipeline(QuantileTransformer(n_quantiles=50), LogisticRegression()),
    "normal shares": lambda: make_pipeline(
        QuantileTransformer(n_quantiles=50, output_distribution="normal"), LogisticRegression()
    ),
    "boosting behind powers": lambda: make_pipeline(
        PowerTransformer(), HistGradientBoostingClassifier(max_bins=50)
    ),
    "boosting behind other powers": lambda: make_pipeline(
        FunctionTransformer(lambda x: x + 1.0),
        PowerTransformer("box-cox", standardize=False),
        HistGradientBoostingClassifier(max_bins=50),
    ),
    "boosting behind shares": lambda: make_pipeline(
        QuantileTransformer(n_quantiles=50), HistGradientBoostingClassifier(max_bins=50)
    ),
    "boosting behind normal shares": lambda: make_pipeline(
        QuantileTransformer(n_quantiles=N, output_distribution="normal"),
        HistGradientBoostingClassifier(max_bins=50),
    ),
    "neighbours": lambda: make_pipeline(StandardScaler(), KNeighborsClassifier(7)),
    "near neighbours": lambda: make_pipeline(
        StandardScaler(), KNeighborsClassifier(7, weights="distance")
    ),
    "neighbours of a sparse matrix": lambda: make_pipeline(
        make_column_transformer(
            (OneHotEncoder(handle_unknown="ignore"), ["days"]),
            (StandardScaler(), ["warm", "wet"]),
            sparse_threshold=1.0,
        ),
        KNeighborsClassifier(5),
    ),
    "a process of two labels and the rest": lambda: make_pipeline(
        StandardScaler(), GaussianProcessClassifier(kernels.Matern(nu=1.5))
    ),
    "discriminants before trees": lambda: make_pipeline(
        LinearDiscriminantAnalysis(), DecisionTreeClassifier(max_depth=3)
    ),
    "other discriminants": lambda: make_pipeline(
        LinearDiscriminantAnalysis(solver="eigen"), LogisticRegression()
    ),
    "distances from centres": lambda: make_pipeline(
        StandardScaler(), KMeans(4, n_init=1, random_state=0), LogisticRegression()
    ),
    "sources": lambda: make_pipeline(
        StandardScaler(), FastICA(2, random_state=0), LogisticRegression()
    ),
    "a sparse projection": lambda: make_pipeline(
        StandardScaler(), SparseRandomProjection(2, random_state=0), LogisticRegression()
    ),
    "columns that are chosen": lambda: make_pipeline(
        SequentialFeatureSelector(LogisticRegression(), n_features_to_select=2, cv=2),
        LogisticRegression(),
    ),
    "columns that are left": lambda: RFE(LogisticRegression(max_iter=500), n_features_to_select=2),
    "columns that are left to a tree": lambda: RFE(
        DecisionTreeClassifier(max_depth=4, random_state=0), n_features_to_select=2
    ),
    "a scaler behind what varies": lambda: make_pipeline(
        VarianceThreshold(), StandardScaler(), LogisticRegression()
    ),
    "a scaler of a whole frame": lambda: make_pipeline(
        make_union(StandardScaler(), make_column_transformer((MinMaxScaler(), ["wet"]))),
        LogisticRegression(),
    ),
    "as many columns as are best": lambda: make_pipeline(
        StandardScaler(), RFECV(LogisticRegression(), cv=3)
    ),
    "a bag of some columns": lambda: BaggingClassifier(
        n_estimators=5, max_features=2, bootstrap_features=True, random_state=0
    ),
    "a bag of votes": lambda: make_pipeline(
        StandardScaler(), BaggingClassifier(SVC(), n_estimators=3, random_state=0)
    ),
}


@pytest.mark.parametrize("what", LABELLING)
def test_labels_of_decimals(what: str) -> None:
    model = LABELLING[what]().fit(FRAME, LABEL)
    found = answers(model, FRAME)
    wanted = model.predict_proba(FRAME)
    wrong = np.abs(found - wanted).max(axis=1) > 1e-3
    # Votes of one each are a matter of order.
    assert wrong.sum() <= (2 if what == "a bag of votes" else 0)


VALUING: dict[str, Callable[[], Any]] = {
    "near neighbours": lambda: KNeighborsRegressor(5, weights="distance"),
    "near neighbours of large numbers": lambda: make_pipeline(
        FunctionTransformer(lambda x: x + 100_000), KNeighborsRegressor(5, weights="distance")
    ),
    "a ridge of kernels": lambda: make_pipeline(StandardScaler(), KernelRidge(kernel="rbf")),
    "a ridge of powers": lambda: make_pipeline(StandardScaler(), KernelRidge(kernel="poly")),
    "a process": lambda: make_pipeline(
        StandardScaler(),
        GaussianProcessRegressor(
            kernels.ConstantKernel(2.0) * kernels.RationalQuadratic() + kernels.WhiteKernel(),
            normalize_y=True,
            optimizer=None,
        ),
    ),
    "a process of lines": lambda: make_pipeline(
        StandardScaler(),
        GaussianProcessRegressor(
            kernels.DotProduct() + kernels.RBF() + kernels.WhiteKernel(), optimizer=None
        ),
    ),
    "a bag": lambda: BaggingRegressor(n_estimators=5, random_state=0),
    "shares of a target": lambda: TransformedTargetRegressor(
        Ridge(), transformer=QuantileTransformer(n_quantiles=60)
    ),
    "normal shares of a target": lambda: TransformedTargetRegressor(
        Ridge(), transformer=QuantileTransformer(n_quantiles=60, output_distribution="normal")
    ),
    "powers of a target": lambda: TransformedTargetRegressor(
        Ridge(), transformer=PowerTransformer()
    ),
    "other powers of a target": lambda: TransformedTargetRegressor(
        Ridge(), transformer=PowerTransformer("box-cox", standardize=False)
    ),
    "a target in two steps": lambda: TransformedTargetRegressor(
        Ridge(), transformer=make_pipeline(FunctionTransformer(np.log, np.exp), StandardScaler())
    ),
    "scaled shares of a target": lambda: TransformedTargetRegressor(
        Ridge(), transformer=make_pipeline(QuantileTransformer(n_quantiles=60), StandardScaler())
    ),
}


@pytest.mark.parametrize("what", VALUING)
def test_values_of_decimals(what: str) -> None:
    model = VALUING[what]().fit(FRAME, VALUE)
    np.testing.assert_allclose(answers(model, FRAME).ravel(), model.predict(FRAME), rtol=1e-3)


FILLING: dict[str, Callable[[], Any]] = {
    "models of the other columns": lambda: IterativeImputer(random_state=0),
    "models, and where": lambda: IterativeImputer(random_state=0, add_indicator=True),
    "neighbours, and where": lambda: KNNImputer(n_neighbors=1, add_indicator=True),
    "more neighbours than share a column": lambda: KNNImputer(n_neighbors=200),
    "means, and where": lambda: make_union(SimpleImputer(), MissingIndicator()),
    "means of powers": lambda: make_pipeline(PowerTransformer(), SimpleImputer()),
    "means of shares": lambda: make_pipeline(QuantileTransformer(n_quantiles=50), SimpleImputer()),
    "means of normal shares": lambda: make_pipeline(
        QuantileTransformer(n_quantiles=50, output_distribution="normal"), SimpleImputer()
    ),
}


@pytest.mark.parametrize("what", FILLING)
def test_gaps_are_filled_as_the_step_does(what: str) -> None:
    # A third decimal, so that no two rows are as near.
    frame = GAPS + RNG.uniform(0, 0.01, GAPS.shape)
    rows = pd.concat([frame, EMPTY]) if "neighbours" in what else frame
    model = make_pipeline(FILLING[what](), Ridge()).fit(frame, VALUE)
    np.testing.assert_allclose(
        answers(model, rows).ravel(), model.predict(rows), rtol=1e-3, atol=1e-3
    )


def test_a_bag_of_trees_sends_gaps_where_its_trees_do() -> None:
    """Trees that have learned of no gaps send them where most of their rows went."""
    model = BaggingClassifier(n_estimators=5, random_state=0).fit(FRAME, LABEL)
    np.testing.assert_allclose(answers(model, GAPS), model.predict_proba(GAPS), atol=1e-5)


@pytest.mark.parametrize("step", [KNNImputer, IterativeImputer, MissingIndicator])
def test_gaps_that_are_numbers_are_refused_by_name(step: Any) -> None:
    model = make_pipeline(step(missing_values=-1), Ridge()).fit(GAPS.fillna(-1), VALUE)
    with pytest.raises(ExportError, match=f"a {step.__name__} whose gaps are -1"):
        answers(model, FRAME)


def test_an_imputer_of_trees_is_refused_by_name() -> None:
    step = IterativeImputer(DecisionTreeRegressor(), max_iter=1, tol=100)
    model = make_pipeline(step, Ridge()).fit(FRAME.astype(float).mask(GAPS.isna()), VALUE)
    with pytest.raises(ExportError, match="an IterativeImputer can be converted whose estimator"):
        answers(model, FRAME)


ENCODERS: dict[str, Callable[[], Any]] = {
    "rare ones together, unknown ones nowhere": lambda: OneHotEncoder(
        handle_unknown="ignore", min_frequency=40, sparse_output=False
    ),
    "means of many labels": lambda: TargetEncoder(),
}


@pytest.mark.parametrize("what", ENCODERS)
def test_categories_become_what_the_encoder_makes(what: str) -> None:
    sites = RNG.choice(["north", "south", "west", "east"], N, p=[0.4, 0.4, 0.12, 0.08])
    frame = pd.DataFrame({"site": sites.astype(object), "warm": FRAME["warm"]})
    columns = make_column_transformer((ENCODERS[what](), ["site"]), remainder=StandardScaler())
    model = make_pipeline(columns, LogisticRegression()).fit(frame, LABEL)
    rows = pd.concat([frame, pd.DataFrame({"site": ["never seen"], "warm": [20.0]})])
    feeds = {"site": rows[["site"]].to_numpy(object), "warm": rows[["warm"]].to_numpy(np.float32)}
    (found,) = (
        Session(convert_columns(model, ["site", "warm"], {"site"})).run(feeds, N + 1).values()
    )
    np.testing.assert_allclose(found, model.predict_proba(rows), atol=1e-4)
