"""Steps of scikit-learn that are a formula of whole columns, and what turns them back.

They are computed in double precision, as scikit-learn does it: behind a scaler a tree's threshold
is often a value itself, such as 4 between 3 and 5, and the last bit says on which side it lies.
"""

import copy
from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np
from ounce_schemas.errors import ExportError
from sklearn.base import BaseEstimator
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import FactorAnalysis, FastICA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble._hist_gradient_boosting.gradient_boosting import BaseHistGradientBoosting
from sklearn.experimental import enable_iterative_imputer  # noqa: F401, as scikit-learn asks
from sklearn.feature_selection import RFE, RFECV, SequentialFeatureSelector
from sklearn.impute import IterativeImputer, MissingIndicator
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model._base import LinearModel
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)
from sklearn.random_projection import SparseRandomProjection
from sklearn.tree import BaseDecisionTree

from ounce_exporters.own.boosters import is_boosted
from ounce_exporters.own.kernels import Formula, nystroem, squared_distances
from ounce_exporters.own.text_gaps import steps_of


def _or(value: Any, otherwise: float) -> Any:
    return otherwise if value is None else value


def _standard(step: Any) -> Formula:
    return lambda x: (x - (step.mean_ if step.with_mean else 0.0)) / _or(step.scale_, 1.0)


def _robust(step: Any) -> Formula:
    return lambda x: (x - _or(step.center_, 0.0)) / _or(step.scale_, 1.0)


def _min_max(step: Any) -> Formula:
    def formula(x: Any) -> Any:
        scaled = x * step.scale_ + step.min_
        least, most = map(float, step.feature_range)
        return np.clip(scaled, least, most) if step.clip else scaled

    return formula


def _max_abs(step: Any) -> Formula:
    def formula(x: Any) -> Any:
        scaled = x / step.scale_
        return np.clip(scaled, -1.0, 1.0) if getattr(step, "clip", False) else scaled

    return formula


def _chosen(step: Any) -> Formula:
    return lambda x: x[:, step.get_support(indices=True)]


def _discriminants(step: Any) -> Formula:
    if step.solver == "lsqr":
        raise ExportError("a LinearDiscriminantAnalysis with solver='lsqr' transforms nothing")
    centre = step.xbar_ if step.solver == "svd" else 0.0
    return lambda x: (x - centre) @ step.scalings_[:, : step._max_components]


def _distances(step: Any) -> Formula:
    """From each centre."""
    away = squared_distances(step.cluster_centers_)
    return lambda x: np.sqrt(away(x))


def _factors(step: Any) -> Formula:
    """The mean of the latent variables (D. Barber, "Bayesian Reasoning and Machine Learning",
    21.2.33)."""
    weighed = step.components_ / step.noise_variance_
    inverse = np.linalg.inv(np.eye(len(weighed)) + weighed @ step.components_.T)
    return lambda x: (x - step.mean_) @ (weighed.T @ inverse)


def _sources(step: Any) -> Formula:
    centre = step.mean_ if step.whiten else 0.0
    return lambda x: (x - centre) @ step.components_.T


def _imputations(step: Any) -> Formula:
    """Gaps by what linear models say of the other columns, column by column and round by round."""
    first = np.asarray(step.initial_imputer_.statistics_, np.float64)
    models = [turn.estimator for turn in step.imputation_sequence_]
    if step.sample_posterior or np.isnan(first).any() or not all(map(_is_linear, models)):
        raise ExportError(
            "an IterativeImputer can be converted whose estimator is linear, such as the default, "
            "without sample_posterior, and whose columns all have a value"
        )

    def formula(x: Any) -> Any:
        gaps = np.isnan(x)
        filled = np.where(gaps, first, x)
        for turn in step.imputation_sequence_:
            place = turn.feat_idx
            weights = np.zeros((len(first), 1))
            weights[turn.neighbor_feat_idx, 0] = np.ravel(turn.estimator.coef_)
            told = filled @ weights + float(np.ravel(turn.estimator.intercept_)[0])
            told = np.clip(told, float(step._min_value[place]), float(step._max_value[place]))
            here = np.logical_and(gaps, np.arange(len(first)) == place)
            filled = np.where(here, told, filled)
        if step.indicator_ is None:
            return filled
        return np.hstack([filled, gaps[:, step.indicator_.features_]])

    return formula


def _powers(step: Any) -> Formula:
    """Yeo and Johnson's, or Box and Cox's."""

    def raised(x: Any, power: float) -> Any:
        return np.log(x) if abs(power) < np.spacing(1.0) else (x**power - 1.0) / power

    def column(x: Any, power: float) -> Any:
        if step.method == "box-cox":
            return raised(x, power)
        above, below = np.maximum(x, 0.0) + 1.0, np.maximum(-x, 0.0) + 1.0
        return np.where(x >= 0, raised(above, power), -raised(below, 2.0 - power))

    def formula(x: Any) -> Any:
        made = np.hstack([column(x[:, [i]], float(p)) for i, p in enumerate(step.lambdas_)])
        return _standard(step._scaler)(made) if step.standardize else made

    return formula


def _is_linear(model: Any) -> bool:
    return isinstance(model, LinearModel) and hasattr(model, "coef_")


_TREES = BaseDecisionTree, BaseHistGradientBoosting
_DECIMALS = "_reads_decimals"
FORMULAS: dict[type, Callable[[Any], Formula]] = {
    FactorAnalysis: _factors,
    FastICA: _sources,
    IterativeImputer: _imputations,
    MaxAbsScaler: _max_abs,
    MinMaxScaler: _min_max,
    MissingIndicator: lambda step: lambda x: np.isnan(x)[:, step.features_],
    Nystroem: nystroem,
    PowerTransformer: _powers,
    RobustScaler: _robust,
    SequentialFeatureSelector: _chosen,
    SparseRandomProjection: lambda step: lambda x: x @ step.components_.toarray().T,
    StandardScaler: _standard,
}
"""By the class of a step that skl2onnx takes for a step."""
_OF_MODELS: dict[type, Callable[[Any], Formula]] = {
    KMeans: _distances,
    LinearDiscriminantAnalysis: _discriminants,
    MiniBatchKMeans: _distances,
    RFE: _chosen,
    RFECV: _chosen,
}
"""By the class of what also is a model: skl2onnx takes its labels for what it makes."""
_STEPS_IN = {
    ColumnTransformer: "transformers_",
    FeatureUnion: "transformer_list",
    Pipeline: "steps",
}
"""By the class of what holds steps beside or behind each other: where it keeps them."""


def as_step(step: Any) -> Any:
    """A step before others, and each inside it, in a form that is no model."""
    if type(step) in _OF_MODELS:
        return FunctionTransformer(_OF_MODELS[type(step)](step))
    if (kept := _STEPS_IN.get(type(step))) is None:
        return step
    result = copy.copy(step)
    setattr(result, kept, [(name, as_step(s), *rest) for name, s, *rest in getattr(step, kept)])
    return result


def with_decimals(model: BaseEstimator) -> BaseEstimator:
    """A fitted model whose formulas take 0.1 for 0.1 where trees come behind them.

    A tree's threshold is often a value that it has learned, or the middle of two that is a third.

    Args:
        model: stays as it is.
    """
    if not any(isinstance(s, _TREES) or is_boosted(s) for s in steps_of(model)):
        return model
    result = copy.deepcopy(model)
    for step in steps_of(result):
        if computes_in_doubles(step):
            setattr(step, _DECIMALS, True)
    return result


def computes_in_doubles(step: Any) -> bool:
    """Whether a step's numbers are doubles, and those of a table make a difference."""
    return type(step) in FORMULAS or isinstance(step, QuantileTransformer)


def reads_decimals(step: Any) -> bool:
    """Whether `with_decimals` has marked a step."""
    return getattr(step, _DECIMALS, False)


def _power(step: Any) -> Formula:
    """Yeo and Johnson's, or Box and Cox's, turned back."""
    powers = np.asarray(step.lambdas_, np.float64)

    def raised(x: Any, power: Any) -> Any:
        """The inverse of (x ** power - 1) / power, or of the logarithm."""
        near_log = np.abs(power) < np.spacing(1.0)
        some = np.where(near_log, 1.0, power)
        return np.exp(x) if near_log.all() else (x * some + 1.0) ** (1.0 / some)

    def formula(x: Any) -> Any:
        if step.standardize:
            x = _BACK[StandardScaler](step._scaler)(x)
        if step.method == "box-cox":
            return raised(x, powers)
        above, below = np.maximum(x, 0.0), np.maximum(-x, 0.0)
        return np.where(x >= 0, raised(above, powers) - 1.0, 1.0 - raised(below, 2.0 - powers))

    return formula


def _own_inverse(step: Any) -> Formula:
    if step.inverse_func is None:
        return lambda x: x

    @wraps(step.inverse_func)  # an error names it
    def formula(x: Any) -> Any:
        return step.inverse_func(x, **(step.inv_kw_args or {}))

    return formula


_BACK: dict[type, Callable[[Any], Formula]] = {
    FunctionTransformer: _own_inverse,
    MaxAbsScaler: lambda s: lambda x: x * s.scale_,
    MinMaxScaler: lambda s: lambda x: (x - s.min_) / s.scale_,
    PowerTransformer: _power,
    RobustScaler: lambda s: lambda x: x * _or(s.scale_, 1.0) + _or(s.center_, 0.0),
    StandardScaler: lambda s: lambda x: x * _or(s.scale_, 1.0) + (s.mean_ if s.with_mean else 0.0),
}


def turning_back(step: Any) -> Formula:
    """What brings transformed values of a target back to their own form.

    Raises:
        ExportError: it is not known of such a step.
    """
    back = _BACK.get(type(step))
    if back is None:
        raise ExportError(
            f"its target is transformed by {type(step).__name__}, which can't be turned back in a "
            "graph: functions, scalers, powers and quantiles can"
        )
    return back(step)
