"""Models that are made of others answer as graphs as they do in scikit-learn."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from ounce_exporters.own.answers import Session
from ounce_exporters.own.native import from_sklearn
from ounce_schemas.errors import ExportError
from ounce_schemas.task import TaskSpec, TensorSpec
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier, SGDClassifier
from sklearn.model_selection import PredefinedSplit
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from tests.exporters.own.foreign import rooms

TABLE = rooms(240, seed=4)
NUMBERS = ["warm", "wet"]
# A value in the middle of two others may be a threshold, and a scaler in float32 moves it.
TABLE[NUMBERS] = (TABLE[NUMBERS] + np.random.default_rng(7).uniform(0, 0.01, (240, 2))).round(4)
FRAME = TABLE[[*NUMBERS, "site"]]
BUSY = TABLE["busy"].to_numpy()
PLACES = np.arange(len(TABLE))
HOT = np.where(TABLE["warm"] > 20, "yes", "no")


def task(labels: tuple[str, ...]) -> TaskSpec:
    return TaskSpec(
        name="t",
        kind="classification" if labels else "regression",
        description="A task.",
        inputs=(
            TensorSpec(name="numbers", shape=(2,), datatype="FP32", columns=tuple(NUMBERS)),
            TensorSpec(name="texts", shape=(1,), datatype="BYTES", columns=("site",)),
        ),
        labels=labels,
        tolerance=None if labels else 1.0,
        interval_coverage=None if labels else 0.9,
    )


def columns() -> Any:
    return make_column_transformer(
        (StandardScaler(), NUMBERS), (OneHotEncoder(handle_unknown="ignore"), ["site"])
    )


def behind(model: Any) -> Any:
    """Of numbers and texts."""
    return make_pipeline(columns(), model)


def scaled(model: Any) -> Any:
    """Of numbers alone."""
    return make_pipeline(make_column_transformer((StandardScaler(), NUMBERS)), model)


def boosting() -> Any:
    return HistGradientBoostingClassifier(max_iter=4, random_state=0)


def forest() -> Any:
    return RandomForestClassifier(5, random_state=0)


def cut() -> Any:
    """Its probabilities are cut at 0 and 1."""
    return SGDClassifier(loss="modified_huber", random_state=0)


Make = Callable[[], Any]
MEMBERS: dict[str, Make] = {
    "linear": LogisticRegression,
    "discriminant": LinearDiscriminantAnalysis,
    "scores alone": LinearSVC,
    "scores of kernels": lambda: SVC(gamma=0.5),
    "boosting": boosting,
    "older boosting": lambda: GradientBoostingClassifier(n_estimators=4, random_state=0),
    "forest": forest,
}
MODELS: dict[str, Make] = {
    "stack": lambda: StackingClassifier(
        [("a", behind(boosting())), ("b", scaled(LinearSVC())), ("c", behind(forest()))], cv=2
    ),
    "stack of numbers and of what they were": lambda: scaled(
        StackingClassifier([("a", GaussianNB()), ("b", forest())], cv=2, passthrough=True)
    ),
    "stack that ends with trees": lambda: StackingClassifier(
        [("a", behind(LogisticRegression())), ("b", scaled(SVC()))], boosting(), cv=2
    ),
    "stack of stacks": lambda: StackingClassifier(
        [("a", behind(StackingClassifier([("b", forest())], LogisticRegression(), cv=2)))], cv=2
    ),
    "votes": lambda: behind(
        VotingClassifier(
            [("a", LogisticRegression()), ("b", boosting())], voting="soft", weights=[3, 1]
        )
    ),
    "calibrated votes": lambda: CalibratedClassifierCV(
        VotingClassifier([("a", behind(forest())), ("b", scaled(GaussianNB()))], voting="soft"),
        cv=2,
    ),
    "calibrated, one against the rest": lambda: CalibratedClassifierCV(
        behind(OneVsRestClassifier(LogisticRegression())), cv=2
    ),
    "votes of what knows no label of a row": lambda: behind(
        VotingClassifier([("a", OneVsRestClassifier(cut())), ("b", GaussianNB())], voting="soft")
    ),
    "one against the rest, of stacks": lambda: behind(
        OneVsRestClassifier(StackingClassifier([("a", GaussianNB())], LogisticRegression(), cv=2))
    ),
}
BY_SCORES: dict[str, Make] = {
    "one against the rest": lambda: OneVsRestClassifier(cut()),
    "stack": lambda: StackingClassifier([("a", LogisticRegression())], cut(), cv=2),
    "one against one, of stacks": lambda: OneVsOneClassifier(
        StackingClassifier([("a", GaussianNB())], LogisticRegression(), cv=2)
    ),
}


def check(model: Any, labels: tuple[str, ...], wanted: Any, tolerance: float = 1e-4) -> None:
    """The graph answers with what is wanted, and so does the model through the task's inputs."""
    foreign = from_sklearn(model, task(labels))
    numbers = TABLE[NUMBERS].to_numpy(np.float32)
    texts = TABLE[["site"]].to_numpy(object)
    by_column = {"warm": numbers[:, :1], "wet": numbers[:, 1:], "site": texts}
    session = Session(foreign.graph)
    feeds = {port.name: by_column[port.name] for port in session.inputs}
    found = list(session.run(feeds, len(TABLE)).values())[-1]
    assert foreign.native is not None
    native = foreign.native({"numbers": numbers, "texts": texts})
    np.testing.assert_allclose(native, wanted, atol=tolerance)
    np.testing.assert_allclose(found.reshape(native.shape), native, atol=tolerance, rtol=1e-4)


def answers(model: Any) -> Any:
    return model.predict_proba(FRAME) if hasattr(model, "predict_proba") else scores_of(model)


def scores_of(model: Any) -> Any:
    scores = model.decision_function(FRAME)
    return np.stack([-scores, scores], axis=1) if scores.ndim == 1 else scores


@pytest.mark.parametrize("truth", [HOT, BUSY], ids=["two", "three"])
@pytest.mark.parametrize("what", MODELS)
def test_a_model_of_models_answers_as_it_does(what: str, truth: Any) -> None:
    model = MODELS[what]().fit(FRAME, truth)
    check(model, tuple(model.classes_), answers(model))


@pytest.mark.parametrize("truth", [HOT, BUSY], ids=["two", "three"])
@pytest.mark.parametrize("what", BY_SCORES)
def test_scores_answer_where_they_alone_name_the_label(what: str, truth: Any) -> None:
    labels, numbers = np.unique(truth, return_inverse=True)
    model = behind(BY_SCORES[what]()).fit(FRAME, numbers)
    scores = scores_of(model)
    check(model, tuple(labels), scores, 1e-3)
    np.testing.assert_array_equal(scores.argmax(axis=1), model.predict(FRAME))


@pytest.mark.parametrize("truth", [HOT, BUSY], ids=["two", "three"])
@pytest.mark.parametrize("kind", [OneVsRestClassifier, OneVsOneClassifier])
@pytest.mark.parametrize("what", MEMBERS)
def test_one_label_against_others_answers_as_it_does(what: str, kind: Any, truth: Any) -> None:
    model = behind(kind(MEMBERS[what]())).fit(FRAME, truth)
    if kind is OneVsOneClassifier and what == "forest" and truth is HOT:
        with pytest.raises(ExportError, match="has one estimator, as there are two labels: add"):
            from_sklearn(model, task(("no", "yes")))
        return
    check(model, tuple(model.classes_), answers(model), 1e-3)


@pytest.mark.parametrize("truth", [HOT, BUSY], ids=["two", "three"])
@pytest.mark.parametrize("method", ["sigmoid", "isotonic", "temperature"])
@pytest.mark.parametrize("what", MEMBERS)
def test_a_calibrated_model_answers_as_it_does(what: str, method: str, truth: Any) -> None:
    model = CalibratedClassifierCV(behind(MEMBERS[what]()), method=method, cv=2)
    check(model.fit(FRAME, truth), tuple(np.unique(truth)), answers(model), 1e-3)


def test_what_is_frozen_is_calibrated() -> None:
    inner = FrozenEstimator(behind(LogisticRegression()).fit(FRAME, BUSY))
    model = CalibratedClassifierCV(inner).fit(FRAME, BUSY)
    check(model, tuple(model.classes_), answers(model))


def test_what_was_learned_from_some_labels_answers_as_it_does() -> None:
    some = np.where(PLACES % 3, HOT == "yes", -1).astype(int)
    model = behind(SelfTrainingClassifier(LogisticRegression())).fit(FRAME, some)
    check(model, ("0", "1"), answers(model))


def test_hard_votes_answer_with_shares_of_the_votes() -> None:
    voters = VotingClassifier(
        [
            ("a", LogisticRegression()),
            ("b", DecisionTreeClassifier(max_depth=2)),
            ("c", LinearSVC()),
            ("d", cut()),
        ],
        weights=[2, 1, 4, 3],
    )
    model = behind(voters).fit(FRAME, BUSY)
    given = model[:-1].transform(FRAME)
    votes = np.stack([member.predict(given) for member in model[-1].estimators_])
    shares = np.stack([(votes == k).T @ np.array([2, 1, 4, 3]) / 10 for k in range(3)], axis=1)
    check(model, tuple(model.classes_), shares)
    np.testing.assert_array_equal(model.classes_[shares.argmax(axis=1)], model.predict(FRAME))


@pytest.mark.parametrize(
    "make",
    [
        lambda members: StackingRegressor(members, cv=2),
        lambda members: VotingRegressor(members, weights=[1, 2]),
    ],
)
def test_a_regressor_of_regressors_answers_as_it_does(make: Callable[[Any], Any]) -> None:
    members = [
        ("a", behind(Ridge())),
        ("b", scaled(HistGradientBoostingRegressor(max_iter=5, random_state=0))),
    ]
    model = make(members).fit(FRAME, TABLE["watts"])
    check(model, (), model.predict(FRAME), 1e-2)


REFUSED: dict[str, tuple[Make, str]] = {
    "labels go on": (
        lambda: StackingClassifier(
            [("a", scaled(KNeighborsClassifier()))], stack_method="predict", cv=2
        ),
        "gives the last estimator labels: set its stack_method to 'predict_proba'",
    ),
    "a fold without a label": (
        lambda: CalibratedClassifierCV(
            LogisticRegression(), cv=PredefinedSplit(np.where(BUSY == "yes", 0, PLACES % 2))
        ),
        "a fold of this CalibratedClassifierCV knows not all labels: fit it with folds that",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_can_not_be_taken_apart_is_refused(what: str) -> None:
    make, says = REFUSED[what]
    model = make().fit(FRAME[NUMBERS], BUSY)
    with pytest.raises(ExportError, match=says):
        from_sklearn(model, task(("maybe", "no", "yes")))


@pytest.mark.parametrize("make", [lambda: OneVsRestClassifier(GaussianNB()), RidgeClassifier])
def test_several_labels_of_a_row_are_refused(make: Make) -> None:
    several = np.stack([BUSY == "yes", TABLE["site"] == "north", TABLE["wet"] > 50], axis=1)
    model = scaled(make()).fit(FRAME, several.astype(int))
    with pytest.raises(ExportError, match=r"answers (with several labels|several questions)"):
        from_sklearn(model, task(("maybe", "no", "yes")))


@pytest.mark.filterwarnings("ignore:The `probability` parameter:FutureWarning")
def test_kernels_with_probabilities_answer_with_scores_inside_others() -> None:
    model = behind(OneVsOneClassifier(SVC(probability=True))).fit(FRAME, BUSY)
    check(model, tuple(model.classes_), scores_of(model), 1e-3)
