"""Estimators of odd make answer as graphs as they do in scikit-learn."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnxruntime import InferenceSession
from ounce_exporters.own.conversion import convert_columns
from ounce_exporters.own.native import from_sklearn
from ounce_schemas.errors import ExportError
from ounce_schemas.task import TaskKind, TaskSpec, TensorSpec
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.ensemble import IsolationForest
from sklearn.feature_selection import SelectKBest
from sklearn.impute import KNNImputer
from sklearn.kernel_approximation import PolynomialCountSketch
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    Ridge,
    RidgeClassifier,
    RidgeClassifierCV,
    SGDClassifier,
)
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OutputCodeClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    PolynomialFeatures,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
)
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from tests.exporters.own.foreign import rooms

NAMES = ["wet", "warm"]
TABLE = rooms(300, seed=3)
TABLE[NAMES] = TABLE[NAMES].astype(np.float32)
FRAME = TABLE[NAMES]
HOT = np.where(TABLE["warm"] > 20, "yes", "no")
WATTS = np.exp(TABLE["watts"] / 400)


def outputs(model: Any) -> list[NDArray[Any]]:
    graph = convert_columns(model, NAMES, ())
    feeds = {name: FRAME[[name]].to_numpy(np.float32) for name in NAMES}
    found: list[NDArray[Any]] = InferenceSession(graph.SerializeToString()).run(None, feeds)
    return found


def task(kind: TaskKind = "classification") -> TaskSpec:
    tensor = TensorSpec(name="input", shape=(2,), datatype="FP32", columns=("warm", "wet"))
    labels = ("maybe", "no", "yes") if kind == "classification" else ()
    return TaskSpec(
        name="t",
        kind=kind,
        description="A task.",
        inputs=(tensor,),
        labels=labels,
        tolerance=None if labels else 1.0,
    )


CLASSIFIERS: dict[str, Callable[[], Any]] = {
    "linear": lambda: LogisticRegression(max_iter=500),
    "bayes": GaussianNB,
    "quadratic": QuadraticDiscriminantAnalysis,
    "polynomial": lambda: make_pipeline(PolynomialFeatures(2), StandardScaler(), GaussianNB()),
    "neighbours": lambda: make_pipeline(KNNImputer(), LogisticRegression()),
    "searched": lambda: GridSearchCV(DecisionTreeClassifier(random_state=0), {"max_depth": [2, 4]}),
}


@pytest.mark.parametrize("what", CLASSIFIERS)
def test_a_classifier_of_a_frame_of_numbers(what: str) -> None:
    model = CLASSIFIERS[what]().fit(FRAME, TABLE["busy"])
    model = getattr(model, "best_estimator_", model)
    np.testing.assert_allclose(outputs(model)[-1], model.predict_proba(FRAME), atol=2e-4)


def test_of_two_labels_an_svm_has_the_sign_of_its_own_scores() -> None:
    model = make_pipeline(StandardScaler(), SVC()).fit(FRAME, HOT)
    scores = [answer[model.classes_[1]] for answer in outputs(model)[-1]]
    np.testing.assert_allclose(scores, model.decision_function(FRAME), atol=1e-3)


@pytest.mark.parametrize("make", [LinearSVC, RidgeClassifier, RidgeClassifierCV])
def test_of_two_labels_a_linear_model_has_the_scores_of_both(make: Callable[[], Any]) -> None:
    inner = make_pipeline(StandardScaler(), make())
    models = make(), make_pipeline(make()), inner, make_pipeline(StandardScaler(), inner)
    for model in models:
        found = outputs(model.fit(FRAME, HOT))[-1]
        scores = model.decision_function(FRAME)
        np.testing.assert_allclose(found, np.stack([-scores, scores], axis=1), atol=1e-3)


TRANSFORMERS: dict[str, dict[str, Any]] = {
    "logarithm": {"func": np.log, "inverse_func": np.exp},
    "logarithm of 1 more": {"func": np.log1p, "inverse_func": np.expm1},
    "root": {"func": np.sqrt, "inverse_func": np.square},
    "one's own": {"func": lambda y: np.log10(y + 3), "inverse_func": lambda z: 10.0**z - 3},
    "standard": {"transformer": StandardScaler()},
    "not centred": {"transformer": StandardScaler(with_mean=False)},
    "not scaled": {"transformer": StandardScaler(with_std=False)},
    "a range, cut": {"transformer": MinMaxScaler((1, 3), clip=True)},
    "robust, not centred": {"transformer": RobustScaler(with_centering=False)},
    "robust": {"transformer": RobustScaler()},
    "range": {"transformer": MinMaxScaler()},
    "largest": {"transformer": MaxAbsScaler()},
}


@pytest.mark.parametrize("what", TRANSFORMERS)
def test_a_transformed_target_is_turned_back(what: str) -> None:
    inner = make_pipeline(StandardScaler(), Ridge())
    model = TransformedTargetRegressor(inner, **TRANSFORMERS[what]).fit(FRAME, WATTS)
    np.testing.assert_allclose(outputs(model)[0].ravel(), model.predict(FRAME), rtol=1e-4)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"func": np.tan, "inverse_func": np.arctan}, "the function 'arctan' can't be converted"),
        (
            {"transformer": SplineTransformer(2, degree=1)},
            "its target is transformed by SplineTransformer, which can't be turned back",
        ),
        (
            {"transformer": FunctionTransformer(np.log, np.sort, check_inverse=False)},
            "the function 'sort' can't be converted: np.sort; use arithmetic, comparisons",
        ),
    ],
)
def test_a_target_that_can_not_be_turned_back_is_refused(
    options: dict[str, Any], says: str
) -> None:
    model = TransformedTargetRegressor(Ridge(), **{"check_inverse": False, **options})
    with pytest.raises(ExportError, match=says):
        outputs(model.fit(FRAME, WATTS))


def test_probabilities_that_are_cut_give_way_to_scores() -> None:
    """Of several labels whose probability is 1, the scores alone name the one that is predicted."""
    model = make_pipeline(
        StandardScaler(), SGDClassifier(loss="modified_huber", alpha=1e-5, random_state=0)
    )
    model.fit(FRAME, TABLE["busy"])
    wanted = model.decision_function(FRAME)
    foreign = from_sklearn(model, task())
    feeds = {name: FRAME[[name]].to_numpy(np.float32) for name in NAMES}
    session = InferenceSession(foreign.graph.SerializeToString())
    np.testing.assert_allclose(session.run(None, feeds)[-1], wanted, rtol=1e-3, atol=1e-2)
    assert foreign.native is not None
    rows = FRAME[["warm", "wet"]].to_numpy(np.float32)
    np.testing.assert_allclose(foreign.native({"input": rows}), wanted, rtol=1e-3, atol=1e-2)


def test_bins_that_are_sparse_are_converted() -> None:
    model = make_pipeline(KBinsDiscretizer(quantile_method="linear"), LogisticRegression())
    model.fit(FRAME, HOT)
    foreign = from_sklearn(model, task())
    feeds = {name: FRAME[[name]].to_numpy(np.float32) for name in NAMES}
    session = InferenceSession(foreign.graph.SerializeToString())
    np.testing.assert_allclose(session.run(None, feeds)[-1], model.predict_proba(FRAME), atol=1e-4)


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "no converter": (
        lambda: make_pipeline(PolynomialCountSketch(), DecisionTreeClassifier()).fit(
            FRAME, TABLE["busy"]
        ),
        "it has no converter for PolynomialCountSketch: put what it makes into the table",
    ),
    "labels alone": (
        lambda: OutputCodeClassifier(LogisticRegression()).fit(FRAME, TABLE["busy"]),
        "OutputCodeClassifier gives neither probabilities nor scores, but labels alone",
    ),
    "no valid graph": (
        lambda: make_pipeline(SelectKBest(k=1), LogisticRegression()).fit(
            FRAME[["warm", "wet"]], HOT
        ),
        "skl2onnx makes of this pipeline of SelectKBest, LogisticRegression what fails: "
        "ONNX Runtime can't run it: This is an invalid model",
    ),
    "a search that keeps no model": (
        lambda: GridSearchCV(DecisionTreeClassifier(), {"max_depth": [2]}, refit=False).fit(
            FRAME, TABLE["busy"]
        ),
        "GridSearchCV keeps no estimator: fit it with refit=True",
    ),
    "scores of pairs": (
        lambda: make_pipeline(SVC(decision_function_shape="ovo")).fit(FRAME, TABLE["busy"]),
        "SVC gives scores of pairs of labels: set its decision_function_shape to 'ovr'",
    ),
    "scores of pairs, inside": (
        lambda: make_pipeline(make_pipeline(SVC(decision_function_shape="ovo"))).fit(
            FRAME, TABLE["busy"]
        ),
        "SVC gives scores of pairs of labels",
    ),
    "no target": (
        lambda: make_pipeline(StandardScaler(), IsolationForest(n_estimators=4)).fit(FRAME),
        "IsolationForest predicts no target: a classifier or a regressor can join; strange rows",
    ),
    "a column that the task lacks": (
        lambda: make_pipeline(SplineTransformer(extrapolation="linear"), LinearSVC()).fit(
            FRAME.assign(one=1.5), HOT
        ),
        "needs the columns 'one', and task 't' has 'warm', 'wet': fit it on these alone",
    ),
    "two questions": (
        lambda: MultiOutputClassifier(LogisticRegression()).fit(
            FRAME, np.stack([TABLE["busy"], HOT], axis=1)
        ),
        "MultiOutputClassifier answers several questions at once: a task asks one",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_an_estimator_that_does_not_fit_is_told_why(what: str) -> None:
    make, says = REFUSED[what]
    with pytest.raises(ExportError, match=says):
        from_sklearn(make(), task())


def test_one_output_may_be_called_as_one_of_the_columns_that_are_joined() -> None:
    model = LinearRegression().fit(FRAME, WATTS)
    np.testing.assert_allclose(outputs(model)[0].ravel(), model.predict(FRAME), rtol=1e-4)


@pytest.mark.parametrize(
    "names", [("at.hour", "at hour"), ("wärme (°C)", "1st"), ("label", "variable")]
)
@pytest.mark.parametrize(
    "make",
    [
        lambda names: LogisticRegression(),
        lambda names: make_pipeline(
            make_column_transformer((StandardScaler(), [names[1]]), ("passthrough", [names[0]])),
            LogisticRegression(),
        ),
        lambda names: DecisionTreeClassifier(random_state=0),
    ],
)
def test_inputs_keep_the_names_of_odd_columns(
    names: tuple[str, str], make: Callable[[tuple[str, str]], Any]
) -> None:
    frame = FRAME.set_axis(list(names), axis=1)
    model = make(names).fit(frame, HOT)
    graph = convert_columns(model, names, ())
    assert [port.name for port in graph.graph.input] == list(names)
    feeds = {name: frame[[name]].to_numpy(np.float32) for name in names}
    (scores,) = InferenceSession(graph.SerializeToString()).run(None, feeds)
    np.testing.assert_allclose(scores, model.predict_proba(frame), rtol=1e-3, atol=1e-5)
