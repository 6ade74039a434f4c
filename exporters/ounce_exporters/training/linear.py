"""Linear models: logistic and ridge regression, elastic net, linear support vector machine."""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.linear_model import (
    ElasticNet,
    ElasticNetCV,
    Lasso,
    LinearRegression,
    LogisticRegression,
    LogisticRegressionCV,
    Ridge,
    RidgeClassifierCV,
    RidgeCV,
)

from ounce_exporters.export.dense import emit_linear
from ounce_exporters.training.estimator import GraphEstimator
from ounce_exporters.training.margins import choose_penalty, fit_margins, signs
from ounce_exporters.training.standardizing import standardize

Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]

_LINEAR = (ElasticNet, ElasticNetCV, Lasso, LinearRegression, LogisticRegression,
           LogisticRegressionCV, Ridge, RidgeClassifierCV, RidgeCV)  # fmt: skip
_PENALTIES = np.logspace(-6, 1, 15)
_RIDGE_PENALTIES = np.logspace(-2, 4, 13)
_SHARES = (0.2, 0.5, 0.9)
"""Of the elastic net's penalty that is on absolute coefficients."""


def logistic_regression(seed: int, c: float = 1.0) -> BaseEstimator:
    """Classes by logistic regression; `c` is one over the penalty."""
    return LogisticRegression(C=c, max_iter=1000, random_state=seed)


def ridge_regression() -> BaseEstimator:
    """A quantity by ridge regression; the penalty has the least leave-one-out error."""
    return RidgeCV(alphas=_RIDGE_PENALTIES)


def ridge_margins() -> BaseEstimator:
    """Classes by ridge regression of their signs; the penalty has the least leave-one-out error.

    The answers are margins: a temperature makes probabilities of them.
    """
    return RidgeClassifierCV(alphas=_RIDGE_PENALTIES)


def elastic_net(seed: int, *, classifies: bool) -> BaseEstimator:
    """Linear with few coefficients; penalties are chosen by cross-validation."""
    if not classifies:
        return ElasticNetCV(l1_ratio=_SHARES, cv=3, alphas=30, random_state=seed, max_iter=3000)
    return LogisticRegressionCV(
        Cs=(0.01, 0.1, 1.0),
        l1_ratios=(0.5,),
        cv=3,
        solver="saga",
        max_iter=100,
        tol=1e-2,
        scoring="neg_log_loss",
        random_state=seed,
        use_legacy_attributes=False,
    )


class LinearSVM(GraphEstimator):
    """A linear support vector machine; squared hinge loss, each class against the others.

    Args:
        n_classes: number of classes; 0 for a quantity.
    """

    def __init__(self, n_classes: int = 2) -> None:
        self.n_classes = n_classes

    def fit(
        self, X: NDArray[Any], y: NDArray[Any], sample_weight: NDArray[np.float64] | None = None
    ) -> "LinearSVM":
        """Learn; the penalty has the least leave-one-out error."""
        weights = np.ones(len(y)) if sample_weight is None else sample_weight
        features = np.column_stack([np.asarray(X, np.float64), np.ones(len(X))])
        wanted, centre, spread = targets_of(y, self.n_classes)
        penalty, _, start = choose_penalty(features, wanted, weights, _PENALTIES)
        found = fit_margins(features, wanted, weights, penalty, start)
        self.weights_, self.bias_ = as_outputs(found, self.n_classes, centre, spread)
        return self

    def outputs(self, X: NDArray[Any]) -> NDArray[np.float32]:
        """Logits of shape (n_rows, n_classes), or values of shape (n_rows, 1)."""
        return np.asarray(X, np.float32) @ self.weights_ + self.bias_

    def to_graph(self) -> onnx.ModelProto:
        """From `features` to `uncalibrated`."""
        return emit_linear(self.weights_, self.bias_)

    def count_numbers(self) -> int:
        """Learned numbers."""
        return int(self.weights_.size + self.bias_.size)


def is_linear(estimator: Any) -> bool:
    """Whether `read_linear` can read a fitted estimator."""
    return isinstance(estimator, _LINEAR)


def read_linear(estimator: Any, *, classifies: bool) -> tuple[Floats32, Floats32]:
    """Weights of shape (n_features, n_outputs) and bias of shape (n_outputs,)."""
    weights = np.atleast_2d(estimator.coef_).T.astype(np.float64)
    bias = np.atleast_1d(estimator.intercept_).astype(np.float64)
    return _one_a_class(weights / 2, bias / 2) if classifies and len(bias) == 1 else (
        weights.astype(np.float32), bias.astype(np.float32)
    )  # fmt: skip


def _one_a_class(weights: Floats, bias: Floats) -> tuple[Floats32, Floats32]:
    """Two outputs, for and against, of one."""
    return (
        np.concatenate([-weights, weights], axis=1).astype(np.float32),
        np.concatenate([-bias, bias]).astype(np.float32),
    )


def targets_of(y: NDArray[Any], n_classes: int) -> tuple[Floats, float, float]:
    """What a margin model aims at, and the centre and spread that bring a quantity back."""
    if n_classes:
        return signs(np.asarray(y, np.int64), n_classes), 0.0, 1.0
    values, centre, spread = standardize(y)
    return values[:, None], centre, spread


def as_outputs(
    coefficients: Floats, n_classes: int, centre: float, spread: float
) -> tuple[Floats32, Floats32]:
    """Weights and bias of all outputs, of coefficients whose last row is the bias."""
    weights, bias = coefficients[:-1] * spread, coefficients[-1] * spread + centre
    if n_classes == 2:
        return _one_a_class(weights, bias)
    return weights.astype(np.float32), bias.astype(np.float32)
