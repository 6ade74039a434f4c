"""Gaps among texts: NaN in a frame, the empty text in a task's tensor and in a graph."""

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pandas import isna
from sklearn.base import BaseEstimator
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder, OrdinalEncoder, TargetEncoder

ENCODERS = (OneHotEncoder, OrdinalEncoder, TargetEncoder)
"""Steps that know categories."""


class _EmptyText(float):
    """NaN as scikit-learn knows it; skl2onnx writes categories as texts, and this one as none."""

    def __str__(self) -> str:
        return ""


def gap_of(model: BaseEstimator) -> Any:
    """What a model has learned for a missing text, such as NaN; the empty text if nothing."""
    for step in steps_of(model):
        if isinstance(step, SimpleImputer) and _fills_texts(step):
            return step.missing_values
        if isinstance(step, ENCODERS):
            for categories in step.categories_:
                if len(gaps := _gaps(categories)):
                    return categories[gaps[0]]
    return ""


def with_empty_texts(model: BaseEstimator) -> BaseEstimator:
    """A fitted model for which skl2onnx writes a graph that takes the empty text for a gap.

    Args:
        model: has learned of gaps as a frame has them. It stays as it is.
    """
    result = copy.deepcopy(model)
    for step in steps_of(result):
        if isinstance(step, SimpleImputer) and _fills_texts(step):
            step.missing_values = ""
        elif isinstance(step, ENCODERS) and any(len(_gaps(c)) for c in step.categories_):
            _take_empty(step)
    return result


def with_known_forms(model: BaseEstimator) -> BaseEstimator:
    """A fitted model with the same answers whose steps skl2onnx knows.

    Args:
        model: stays as it is.
    """
    if not any(map(_known_form, steps_of(model))):
        return model
    result = copy.deepcopy(model)
    for step in steps_of(result):
        for name, value in _known_form(step).items():
            setattr(step, name, value)
    return result


def _known_form(step: BaseEstimator) -> dict[str, Any]:
    """Options that change nothing but the type of an answer."""
    if isinstance(step, KBinsDiscretizer) and step.encode == "onehot":
        return {"encode": "onehot-dense"}  # not as a sparse matrix
    return {}


def _take_empty(encoder: Any) -> None:
    known = encoder.categories_
    for categories in known:
        for place in _gaps(categories):
            categories[place] = _EmptyText("nan")
    if isinstance(encoder, OrdinalEncoder) and isna(encoder.encoded_missing_value):
        # skl2onnx numbers a gap as the last category where it shall stay one.
        if encoder.handle_unknown == "error":
            encoder.handle_unknown, encoder.unknown_value = "use_encoded_value", np.nan
        encoder.unknown_value = float(encoder.unknown_value)
        infrequent = getattr(encoder, "_infrequent_enabled", False)
        numbers = [
            encoder._default_to_infrequent_mappings[i] if infrequent else None
            for i in range(len(known))
        ]
        encoder._infrequent_enabled = True
        encoder._default_to_infrequent_mappings = [
            _with_gap(np.arange(len(c)) if n is None else n, c)
            for n, c in zip(numbers, known, strict=True)
        ]


def _with_gap(numbers: NDArray[Any], categories: NDArray[Any]) -> NDArray[np.float64]:
    n_gaps = len(_gaps(categories))  # 1 or 0; scikit-learn has it last, and sometimes unnumbered
    kept = np.asarray(numbers, np.float64)[: len(categories) - n_gaps]
    return np.concatenate([kept, np.full(n_gaps, np.nan)])


def _fills_texts(imputer: SimpleImputer) -> bool:
    fills = any(isinstance(value, str) for value in imputer.statistics_)
    return fills and bool(isna(imputer.missing_values))


def _gaps(categories: NDArray[Any]) -> NDArray[np.int64]:
    """Places of what is missing among texts."""
    if categories.dtype.kind != "O":
        return np.empty(0, np.int64)
    return np.flatnonzero(isna(categories))


def steps_of(value: Any, seen: set[int] | None = None) -> Iterator[BaseEstimator]:
    """Every fitted estimator inside a model."""
    seen = set() if seen is None else seen
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, dict):
        parts = list(value.values())
    elif isinstance(value, list | tuple):
        parts = list(value)
    elif isinstance(value, BaseEstimator) or type(value).__module__.startswith("sklearn."):
        if isinstance(value, BaseEstimator) and _is_fitted(value):
            yield value
        parts = list(getattr(value, "__dict__", {}).values())
    else:
        return
    for part in parts:
        yield from steps_of(part, seen)


def _is_fitted(step: BaseEstimator) -> bool:
    """By what it has learned; LightGBM and XGBoost keep theirs elsewhere."""
    learned = any(name.endswith("_") and not name.startswith("_") for name in vars(step))
    return learned or vars(step).get("_Booster") is not None
