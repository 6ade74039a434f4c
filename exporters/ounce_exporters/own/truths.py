"""Columns of True and False: booleans in a frame, texts in a task of a file."""

import copy
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.errors import ExportError
from ounce_schemas.task import TaskSpec, TensorSpec
from sklearn.base import BaseEstimator

from ounce_exporters.own.text_gaps import ENCODERS, steps_of


@dataclass(frozen=True)
class Spelling:
    """How a column writes true and false."""

    true: str
    false: str
    other: float = np.nan
    """What a text counts as that is neither."""

    def numbers(self, texts: NDArray[Any]) -> NDArray[np.float32]:
        """1 for true, 0 for false, `other` for every other text."""
        known = [texts == self.true, texts == self.false]
        return np.select(known, [np.float32(1), np.float32(0)], np.float32(self.other))


def spelling_of(tensor: TensorSpec, place: int) -> Spelling | None:
    """How a column of texts writes true and false; None where it holds other texts."""
    cell = tensor.cells[place] if tensor.cells else None
    known = {text.lower(): text for text in (cell.texts if cell else None) or ()}
    if known.keys() == {"true", "false"}:
        return Spelling(known["true"], known["false"])
    return None


def spelling_of_constant(value: float | str) -> Spelling | None:
    """How a column of one value writes true and false; None where it holds another value."""
    text = str(value)
    if text.lower() not in ("true", "false"):
        return None
    like = str.upper if text.isupper() else str.lower if text.islower() else str.title
    return Spelling(like("true"), like("false"))


def spellings_of(task: TaskSpec, columns: Collection[str]) -> dict[str, Spelling]:
    """Those of the columns that hold True and False as texts, by name."""
    known = {name: spelling_of_constant(value) for name, value in (task.constants or {}).items()}
    for tensor in task.inputs:
        if tensor.datatype == "BYTES":
            known |= {
                name: spelling_of(tensor, place) for place, name in enumerate(tensor.columns or ())
            }
    return {name: how for name, how in known.items() if name in columns and how is not None}


def encoded(model: BaseEstimator, columns: Mapping[str, Spelling]) -> dict[str, bool]:
    """Columns that an encoder has learned, and whether as booleans.

    Raises:
        ExportError: an encoder has learned booleans, and which column's is not known.
    """
    found: dict[str, bool] = {}
    for step in steps_of(model):
        if not isinstance(step, ENCODERS):
            continue
        names = list(getattr(step, "feature_names_in_", [None] * len(step.categories_)))
        for name, categories in zip(names, step.categories_, strict=True):
            booleans = _are_booleans(categories)
            if not booleans and not any(isinstance(value, str) for value in categories):
                continue  # it reads what an encoder before it made
            if booleans and name not in columns:
                raise ExportError(
                    "an encoder of it has learned True and False, and reads no column of True and "
                    "False of the table itself: fit it on texts, as frame[column].astype(str) "
                    "gives them"
                )
            if name in columns:
                found[name] = booleans
    return found


def with_truths_as_texts(model: BaseEstimator, columns: Mapping[str, Spelling]) -> BaseEstimator:
    """A fitted model whose encoders know true and false as texts.

    Args:
        model: stays as it is.
        columns: how each writes them.
    """
    result = copy.deepcopy(model)
    for step in steps_of(result):
        if not isinstance(step, ENCODERS):
            continue
        for place, categories in enumerate(step.categories_):
            if _are_booleans(categories):
                how = columns[step.feature_names_in_[place]]
                texts = [_as_text(value, how) for value in categories]
                step.categories_[place] = np.array(texts, object)
    return result


def _as_text(value: Any, how: Spelling) -> Any:
    return (how.true if value else how.false) if isinstance(value, bool | np.bool_) else value


def _are_booleans(categories: NDArray[Any]) -> bool:
    return any(isinstance(category, bool | np.bool_) for category in categories)
