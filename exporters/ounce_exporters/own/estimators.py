"""What estimators of scikit-learn are made of, and how they answer."""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import StackingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection._classification_threshold import BaseThresholdClassifier
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import Pipeline
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.svm import SVC, NuSVC


def cuts_probabilities(model: Any) -> bool:
    """Whether a model's probabilities are cut at 0 and 1, so that many labels share one: then its
    scores say more, and they alone name the label that it predicts."""
    last = flat([model])[-1]
    if isinstance(last, OneVsRestClassifier):
        return cuts_probabilities(last.estimators_[0])
    if isinstance(last, StackingClassifier):
        return cuts_probabilities(last.final_estimator_)
    return isinstance(last, SGDClassifier) and last.loss == "modified_huber"


def pipeline(steps: Sequence[Any]) -> Pipeline:
    """Of steps that are fitted; a pipeline among them is taken apart."""
    return Pipeline([(str(i), step) for i, step in enumerate(flat(steps))])


def flat(steps: Sequence[Any]) -> list[Any]:
    """Steps in their order; pipelines are taken apart, and what wraps a model is taken off."""
    parts: list[Any] = []
    for step in steps:
        if isinstance(step, Pipeline):
            parts += flat([s for _, s in step.steps])
        elif (wrapped := _inside(step)) is not None:
            parts += flat([wrapped])
        elif step not in (None, "passthrough") and not hasattr(step, "fit_resample"):
            parts.append(step)  # what draws other rows, as imbalanced-learn does, does so to learn
    return parts


def _inside(step: Any) -> Any:
    """The model inside one that answers as it does."""
    if isinstance(step, FrozenEstimator):
        return step.estimator
    if isinstance(step, SelfTrainingClassifier | BaseThresholdClassifier):
        return step.estimator_
    if isinstance(step, GaussianProcessClassifier):
        inside = copy.copy(step.base_estimator_)
        inside.n_features_in_ = step.n_features_in_
        return inside
    return getattr(step, "best_estimator_", None)


def names_by_scores(model: Any) -> bool:
    """Whether the label that it predicts may not be its most probable one."""
    return isinstance(flat([model])[-1], SVC | NuSVC) or cuts_probabilities(model)


def in_known_form(model: Any, raw: bool) -> Any:
    """A model of the same answers that skl2onnx converts rightly."""
    if isinstance(model, LinearDiscriminantAnalysis):  # skl2onnx: of two labels, twice the score
        return _logistic(model, model.coef_, model.intercept_)
    if isinstance(model, NearestCentroid):
        return _of_centroids(model)
    if raw and isinstance(model, SVC | NuSVC):  # skl2onnx: probabilities for scores
        plain = copy.copy(model)
        plain.probability, plain._probA, plain._probB = False, np.empty(0), np.empty(0)
        return plain
    return model


def _of_centroids(model: NearestCentroid) -> LogisticRegression:
    """The square of an item itself is in each label's distance, so the rest is linear."""
    spread = np.where(model.within_class_std_dev_ > 0, model.within_class_std_dev_, 1.0)
    centres = model.centroids_ / spread
    weights, offsets = 2 * centres / spread, 2 * np.log(model.class_prior_) - (centres**2).sum(1)
    if len(weights) == 2:  # scores of the second label
        weights, offsets = np.diff(weights, axis=0), np.diff(offsets)
    return _logistic(model, weights, offsets)


def _logistic(model: Any, weights: Any, offsets: Any) -> LogisticRegression:
    plain = LogisticRegression()
    plain.classes_, plain.n_features_in_ = model.classes_, model.n_features_in_
    plain.coef_, plain.intercept_ = weights, offsets
    return plain
