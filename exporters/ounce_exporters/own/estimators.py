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
        elif step not in (None, "passthrough"):
            parts.append(step)
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


def without_mistakes(model: Any, raw: bool) -> Any:
    """A model of the same answers, where skl2onnx gives others than the model itself."""
    if isinstance(model, LinearDiscriminantAnalysis):  # of two labels, twice the score
        plain = LogisticRegression()
        known = "classes_", "coef_", "intercept_", "n_features_in_"
        plain.__dict__.update({name: getattr(model, name) for name in known})
        return plain
    if raw and isinstance(model, SVC | NuSVC):  # probabilities for scores
        plain = copy.copy(model)
        plain.probability, plain._probA, plain._probB = False, np.empty(0), np.empty(0)
        return plain
    return model
