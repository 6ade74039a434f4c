"""Boosting by histograms that has learned categories of a frame, such as texts, by itself."""

import copy
from types import SimpleNamespace
from typing import Any

import numpy as np
from pandas import isna
from sklearn.preprocessing import FunctionTransformer


def knows_texts(boosting: Any) -> bool:
    """Whether its categories are no numbers."""
    encoder = _encoder(boosting)
    return encoder is not None and any(
        isinstance(value, str) for categories in encoder.categories_ for value in categories
    )


def take_apart(boosting: Any) -> tuple[list[Any], Any]:
    """The step that numbers its categories, and the same boosting of these numbers.

    Args:
        boosting: fitted on a frame. It stays as it is.
    """
    numbering = copy.copy(boosting._preprocessor)
    columns = np.asarray(boosting.feature_names_in_, object)
    numbering.transformers_ = [
        # Numbers stay as they are: what scikit-learn has there only checks them.
        (name, step if name == "encoder" else FunctionTransformer(), columns[places].tolist())
        for name, step, places in numbering.transformers_
    ]
    numbering.transformers = numbering.transformers_
    numbers = [
        np.arange(sum(not isna(value) for value in categories), dtype=np.float64)
        for categories in _encoder(boosting).categories_
    ]
    inner = copy.copy(boosting)
    inner.is_categorical_ = np.arange(len(columns)) < len(numbers)  # they come first
    known = SimpleNamespace(categories_=numbers)
    inner._preprocessor = SimpleNamespace(named_transformers_={"encoder": known})
    return [numbering], inner


def _encoder(boosting: Any) -> Any:
    preprocessor = boosting._preprocessor
    return None if preprocessor is None else preprocessor.named_transformers_["encoder"]
