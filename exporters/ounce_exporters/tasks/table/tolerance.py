"""The error that counts as acceptable where nobody says which."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.errors import DataError
from ounce_schemas.task import TensorSpec
from sklearn.ensemble import RandomForestRegressor
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold, KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder, StandardScaler

from ounce_exporters.ladder.recipe import TaskData

SHARE = 0.95
"""Share of held-out rows that a quick model answers within the default tolerance. Above the default
floor of 0.9, so that the bound of a model's accuracy can pass it on a few hundred rows."""
_MOST_ROWS = 3000
_FOLDS = 3
_SHARE_TRIED, _MOST_TRIED = 0.4, 50
"""Features among which a split of a tree chooses: so wide tables and windows cost little more."""
_TEXT_FEATURES = 256
"""Hashed n-grams of a sentence."""


@dataclass(frozen=True)
class Tolerance:
    """An absolute error, in the target's unit."""

    value: float
    constant: float
    """Share of rows for which the median of all rows is within it."""


def with_tolerance(data: TaskData, target: str, *, shuffle: bool) -> tuple[TaskData, str]:
    """A regression with the default tolerance, and the line that says so.

    Args:
        data: split; only the training rows are looked at.
        target: what is predicted, to be named.
        shuffle: as of `default_tolerance`; not where neighbouring rows tell of each other.
    """
    some = slice(None, None, -(-len(data.train) // _MOST_ROWS))
    columns = [
        _features(tensor, data.train.inputs[tensor.name][some]) for tensor in data.spec.inputs
    ]
    units = None if data.units is None else data.units[some]
    features = np.concatenate(columns, axis=1)
    chosen = default_tolerance(features, data.train.targets[some], units, shuffle=shuffle)
    line = (
        f"a prediction within ±{chosen.value:,.12g} of {target!r} counts as acceptable: a quick "
        f"model reaches that for {SHARE:.0%} of rows it has not seen, the median for "
        f"{chosen.constant:.0%} (change it with --tolerance)"
    )
    spec = data.spec.model_copy(update={"tolerance": chosen.value})
    return replace(data, spec=spec), line


def _features(tensor: TensorSpec, values: NDArray[Any]) -> NDArray[np.float32]:
    """Array of shape (n_rows, n_features): texts as a quick model reads them."""
    if tensor.text_bytes is not None:
        parts = HashingVectorizer(analyzer="char_wb", ngram_range=(3, 3), n_features=_TEXT_FEATURES)
        return np.asarray(parts.transform(values[:, 0]).toarray(), np.float32)
    if tensor.datatype == "BYTES":
        return np.asarray(OrdinalEncoder().fit_transform(values), np.float32)
    return values.reshape(len(values), -1).astype(np.float32)


def default_tolerance(
    features: NDArray[np.float32],
    targets: NDArray[Any],
    units: NDArray[np.int64] | None = None,
    *,
    shuffle: bool = True,
) -> Tolerance:
    """The error that a quick model keeps in `SHARE` of rows that it has not seen, rounded up.

    Args:
        features: of the training rows, array of shape (n_rows, n_columns); a gap is NaN.
        targets: values, array of shape (n_rows,).
        units: whose each row is; rows of one are held out together. None: rows stand alone.
        shuffle: hold out rows by chance; otherwise stretches of rows as they are in order.

    Raises:
        DataError: the target is the same in every row.
    """
    chosen = slice(None, None, -(-len(targets) // _MOST_ROWS))
    features, truth = features[chosen], targets[chosen].astype(np.float64)
    if np.ptp(truth) == 0:
        raise DataError("the target is the same in every training row: there is nothing to learn")
    centre = float(np.median(truth))
    folds: Any = KFold(_FOLDS, shuffle=shuffle, random_state=0 if shuffle else None)
    groups = None if units is None else units[chosen]
    if groups is not None and len(np.unique(groups)) >= _FOLDS:
        folds = GroupKFold(_FOLDS)
    tried = min(_SHARE_TRIED, _MOST_TRIED / features.shape[1])
    forest = RandomForestRegressor(30, min_samples_leaf=3, max_features=tried, random_state=0)
    linear = make_pipeline(
        SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler(), Ridge()
    )
    answers = [
        cross_val_predict(model, features, truth - centre, cv=folds, groups=groups)
        for model in (forest, linear)
    ]
    error = min(float(np.quantile(np.abs(a - (truth - centre)), SHARE)) for a in answers)
    value = _round_up(error or float(np.ptp(truth)) * 1e-3)
    return Tolerance(value, float((np.abs(truth - centre) <= value).mean()))


def _round_up(value: float) -> float:
    """To two digits, so that it can be read and repeated."""
    step = 10.0 ** (np.floor(np.log10(value)) - 1)
    return float(f"{np.ceil(value / step - 1e-9) * step:.2g}")
