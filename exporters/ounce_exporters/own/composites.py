"""Estimators that are made of others, as graphs of graphs: stacking, voting, calibration, and one
against the rest or another.

skl2onnx converts each member. It has no converter for many of their combinations.
"""

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto
from ounce_schemas.errors import ExportError
from sklearn.base import is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.isotonic import IsotonicRegression
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from ounce_exporters.export.graphs import chain
from ounce_exporters.own.operators import Joined

Convert = Callable[[Any, str], onnx.ModelProto]
"""Makes a graph of a member. Its one output is what the method named gives: `predict_proba`,
`decision_function` or `predict`, array of shape (n_items, n_columns)."""
Features = Callable[[], onnx.ModelProto]
"""Makes a graph of what the members read, array of shape (n_items, n_features)."""
Behind = Callable[[Any, int], onnx.ModelProto]
"""Makes a graph of an estimator that reads so many numbers."""

_STACKED = (StackingClassifier, StackingRegressor)
_VOTING = (VotingClassifier, VotingRegressor)
_BAGS = (BaggingClassifier, BaggingRegressor)
_COMPOSITES = (
    *_STACKED,
    *_VOTING,
    *_BAGS,
    CalibratedClassifierCV,
    OneVsOneClassifier,
    OneVsRestClassifier,
)
_BINARY = 2
_EPSILON = 1e-12
"""As scikit-learn adds it to a probability before its logarithm."""


def is_composite(estimator: Any) -> bool:
    """Whether `compose` can take an estimator apart."""
    return isinstance(estimator, _COMPOSITES)


def is_hard_vote(estimator: Any) -> bool:
    """Whether its members vote for labels alone."""
    return isinstance(estimator, VotingClassifier) and estimator.voting == "hard"


def vote_shares(estimator: Any, votes: NDArray[Any]) -> NDArray[np.float64]:
    """Share of the votes for each label.

    Args:
        estimator: a `VotingClassifier` of hard votes.
        votes: places of the labels that the members vote for, array of shape (n_items, n_members).

    Returns:
        Array of shape (n_items, n_labels).
    """
    hits = votes[:, :, None] == np.arange(len(estimator.classes_))
    return np.asarray((hits * _weights(estimator)[:, None]).sum(axis=1), np.float64)


def compose(
    estimator: Any, convert: Convert, features: Features, behind: Behind, raw: bool = False
) -> onnx.ModelProto:
    """The graph of an estimator that is made of others.

    Its one output holds probabilities, scores or values, array of shape (n_items, n_columns).

    Args:
        estimator: fitted, one that `is_composite` knows.
        convert: of members.
        features: of what the members read.
        behind: of the last estimator of a stack.
        raw: whether it answers with its scores, though it has probabilities.

    Raises:
        ExportError: a member can't be converted, or does not know all labels.
    """
    if isinstance(estimator, _STACKED):
        return _stacked(estimator, convert, features, behind)
    if isinstance(estimator, _VOTING):
        return _voted(estimator, convert)
    if isinstance(estimator, CalibratedClassifierCV):
        return _calibrated(estimator, convert)
    if isinstance(estimator, _BAGS):
        return _bagged(estimator, convert)
    if isinstance(estimator, OneVsRestClassifier):
        return _one_against_rest(estimator, convert, raw)
    return _one_against_one(estimator, convert)


def one_hot(graph: onnx.ModelProto) -> onnx.ModelProto:
    """A classifier's graph whose answer is 1 for its label, and 0 for each other one."""
    joined = Joined([graph])
    (name,) = joined.outputs
    n_labels = joined.add("Gather", joined.add("Shape", name), np.array([1]))
    place = joined.add("ArgMax", name, axis=1, keepdims=0)
    return joined.end(joined.add("OneHot", place, n_labels, np.array([0, 1], np.float32)))


def _stacked(stack: Any, convert: Convert, features: Features, behind: Behind) -> onnx.ModelProto:
    methods = stack.stack_method_
    members = [convert(m, how) for m, how in zip(stack.estimators_, methods, strict=True)]
    if stack.passthrough:
        members.append(features())
    joined = Joined(members)
    names = joined.outputs[: len(methods)]
    if is_classifier(stack):
        if "predict" in methods:
            raise ExportError(
                "a member of this stack gives the last estimator labels: set its stack_method to "
                "'predict_proba' or 'decision_function', with members that have it"
            )
        if len(stack.classes_) == _BINARY:
            names = list(map(joined.last_column, names))
    names += joined.outputs[len(methods) :]
    first = joined.end(joined.side_by_side(names))
    return chain(first, behind(stack.final_estimator_, stack.final_estimator_.n_features_in_))


def _weights(voters: Any) -> NDArray[np.float64]:
    given = voters._weights_not_none
    weights = np.ones(len(voters.estimators_)) if given is None else np.asarray(given, np.float64)
    return np.asarray(weights / weights.sum(), np.float64)


def _voted(voters: Any, convert: Convert) -> onnx.ModelProto:
    hard = is_hard_vote(voters)
    how = "label" if hard else "predict_proba" if is_classifier(voters) else "predict"
    joined = Joined([convert(member, how) for member in voters.estimators_])
    names = joined.outputs
    return joined.end(joined.mean(names, _weights(voters)))


def _bagged(bag: Any, convert: Convert) -> onnx.ModelProto:
    """The mean of members that were fitted on some rows and some columns."""
    members = []
    for member, places in zip(bag.estimators_, bag.estimators_features_, strict=True):
        votes = "predict_proba" if hasattr(member, "predict_proba") else "label"
        if list(places) != list(range(bag.n_features_in_)):
            picked = FunctionTransformer(lambda x, places=list(places): x[:, places])
            member = Pipeline([("columns", picked), ("member", member)])
        members.append(convert(member, votes if is_classifier(bag) else "predict"))
    joined = Joined(members)
    names = joined.outputs
    if is_classifier(bag):
        n_labels = len(bag.classes_)
        for i, member in enumerate(bag.estimators_):
            if len(member.classes_) < n_labels:  # its rows had no others
                places = np.eye(n_labels, dtype=np.float32)[member.classes_.astype(int)]
                names[i] = joined.add("MatMul", names[i], places)
    return joined.end(joined.mean(names, np.ones(len(names))))


def _calibrated(model: Any, convert: Convert) -> onnx.ModelProto:
    folds = model.calibrated_classifiers_
    n_labels = len(model.classes_)
    if any(len(fold.estimator.classes_) < n_labels for fold in folds):
        raise ExportError(
            "a fold of this CalibratedClassifierCV knows not all labels: fit it with folds that "
            "have each, such as cv=StratifiedKFold()"
        )
    joined = Joined([convert(fold.estimator, "response") for fold in folds])
    names = []
    for fold, name in zip(folds, joined.outputs, strict=True):
        if fold.method == "temperature":
            names.append(_tempered(joined, fold, name, n_labels))
            continue
        if n_labels == _BINARY:
            name = joined.last_column(name)
        columns = [
            _calibrate(
                joined,
                calibrator,
                joined.add("Gather", name, np.array([place]), axis=1),
            )
            for place, calibrator in enumerate(fold.calibrators)
        ]
        if n_labels == _BINARY:
            (second,) = columns
            first = joined.add("Sub", np.array(1.0), second)
            names.append(joined.side_by_side([first, second]))
        else:
            names.append(_shares(joined, joined.side_by_side(columns), 1 / n_labels))
    rounded = [joined.add("Cast", name, to=TensorProto.FLOAT) for name in names]
    return joined.end(joined.mean(rounded, np.ones(len(names))))


def _calibrate(joined: Joined, calibrator: Any, scores: str) -> str:
    """Probabilities of scores, double of shape (n_items, 1)."""
    value = joined.add("Cast", scores, to=TensorProto.DOUBLE)
    if not isinstance(calibrator, IsotonicRegression):
        inside = joined.add("Mul", value, np.array(-float(calibrator.a_)))
        return joined.add("Sigmoid", joined.add("Sub", inside, np.array(float(calibrator.b_))))
    x = np.asarray(calibrator.X_thresholds_, np.float64)
    y = np.asarray(calibrator.y_thresholds_, np.float64)
    if len(x) == 1:
        return joined.add("Add", joined.add("Mul", value, np.array(0.0)), y)
    # A sum of ramps, one between each two thresholds.
    steps = joined.add("Div", joined.add("Sub", value, x[:-1]), np.diff(x))
    ramps = joined.add("Clip", steps, np.array(0.0), np.array(1.0))
    return joined.add("Add", joined.add("MatMul", ramps, np.diff(y)[:, None]), y[:1])


def _tempered(joined: Joined, fold: Any, name: str, n_labels: int) -> str:
    """As `sklearn.calibration._TemperatureScaling`: probabilities become logarithms first."""
    (calibrator,) = fold.calibrators
    value = joined.add("Cast", name, to=TensorProto.DOUBLE)
    if hasattr(fold.estimator, "decision_function"):
        if n_labels == _BINARY:
            value = joined.last_column(value)
            value = joined.side_by_side([joined.add("Neg", value), value])
    else:
        value = joined.add("Log", joined.add("Add", value, np.array(_EPSILON)))
    scaled = joined.add("Mul", value, np.array(float(calibrator.beta_)))
    return joined.add("Softmax", scaled, axis=1)


def _shares(joined: Joined, name: str, otherwise: float) -> str:
    """Each row over its sum, or what it is otherwise, where that is nothing."""
    value = joined.add("Cast", name, to=TensorProto.DOUBLE)
    total = joined.add("ReduceSum", value, np.array([1]), keepdims=1)
    nothing = joined.add("Equal", total, np.array(0.0))
    shares = joined.add("Div", value, joined.add("Where", nothing, np.array(1.0), total))
    return joined.add("Where", nothing, np.array(otherwise), shares)


def _one_against_rest(model: Any, convert: Convert, raw: bool) -> onnx.ModelProto:
    if getattr(model, "multilabel_", False):
        raise ExportError("this OneVsRestClassifier answers with several labels: a task asks one")
    raw = raw or not hasattr(model, "predict_proba")
    how = "decision_function" if raw else "predict_proba"
    joined = Joined([convert(member, how) for member in model.estimators_])
    columns = list(map(joined.last_column, joined.outputs))
    if len(columns) == 1:
        (second,) = columns
        first = (
            joined.add("Neg", second) if raw else joined.add("Sub", np.array(1, np.float32), second)
        )
        return joined.end(joined.side_by_side([first, second]))
    answer = joined.side_by_side(columns)
    return joined.end(answer if raw else _shares(joined, answer, 0.0))


def _one_against_one(model: Any, convert: Convert) -> onnx.ModelProto:
    n_labels = len(model.classes_)
    by_score = hasattr(model.estimators_[0], "decision_function")
    if n_labels == _BINARY and not by_score:
        raise ExportError(
            "this OneVsOneClassifier has one estimator, as there are two labels: add that one"
        )
    joined = Joined([convert(member, "response") for member in model.estimators_])
    surety = joined.side_by_side(list(map(joined.last_column, joined.outputs)))
    pairs = list(combinations(range(n_labels), _BINARY))
    lower, upper = (np.eye(n_labels, dtype=np.float32)[[p[i] for p in pairs]] for i in (0, 1))
    over = joined.add("Greater", surety, np.array(0 if by_score else 0.5, np.float32))
    wins = joined.add("Cast", over, to=TensorProto.FLOAT)
    # The second of a pair gets the vote, or else the first does.
    votes = joined.add("Add", joined.add("MatMul", wins, upper - lower), lower.sum(axis=0)[None])
    sums = joined.add("MatMul", surety, upper - lower)
    size = joined.add("Add", joined.add("Abs", sums), np.array(1, np.float32))
    part = joined.add("Div", sums, joined.add("Mul", size, np.array(3, np.float32)))
    answer = joined.add("Add", votes, part)
    if n_labels == _BINARY:
        second = joined.last_column(answer)
        answer = joined.side_by_side([joined.add("Neg", second), second])
    return joined.end(answer)
