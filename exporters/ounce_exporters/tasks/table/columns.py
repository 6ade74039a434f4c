"""Understanding a table's columns: what can be sent as numbers, what as text, what not at all."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from ounce_schemas.errors import DataError
from pandas.api import types

MOST_CATEGORIES = 100
"""Distinct texts of a column: each becomes one feature."""
MOST_INTEGER_CLASSES = 20
"""An integer target of more distinct values is a quantity, not a class."""
_DATE = r"^\s*\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T]\d{1,2}:\d{2}.*)?\s*$"


COARSE = 0.05
"""Models read float32. Steps of it wider than this share of a column's spread are told of."""


@dataclass(frozen=True)
class Columns:
    """A table's inputs."""

    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    notices: tuple[str, ...]
    """One line for each column that is left out, or that float32 holds badly."""


@dataclass(frozen=True)
class Target:
    """What is to be predicted."""

    rows: NDArray[np.bool_]
    """Rows of the table that have a target; array of shape (n_rows,)."""
    values: NDArray[Any]
    """Of those rows: label indices, int64, or values, float32."""
    labels: tuple[str, ...]
    """In order of the indices; empty for a regression."""


def choose_columns(table: pd.DataFrame, target: str) -> Columns:
    """Sort every column but the target into numeric, categorical and left out.

    Raises:
        DataError: no column is left to predict from.
    """
    numeric: list[str] = []
    categorical: list[str] = []
    notices: list[str] = []
    for name in table.columns:
        if name == target:
            continue
        column = table[name]
        reason = _why_not(column)
        if reason is not None:
            notices.append(f"column {name!r} is left out: {reason}")
        elif types.is_numeric_dtype(column):
            numeric.append(name)
            notices += precision_notices(f"column {name!r}", column)
        else:
            categorical.append(name)
    if not numeric and not categorical:
        details = "; ".join(notices) or "the table has no other column"
        raise DataError(f"no column is left to predict {target!r} from: {details}")
    return Columns(tuple(numeric), tuple(categorical), tuple(notices))


def read_target(table: pd.DataFrame, name: str) -> Target:
    """Take the target column: text, truth values and few-valued integers are classes.

    Raises:
        DataError: no such column, or it is empty, constant, infinite, or holds dates.
    """
    if name not in table.columns:
        raise DataError(f"there is no column {name!r}: the table has {', '.join(table.columns)}")
    column = table[name]
    rows = column.notna().to_numpy()
    present = column[rows]
    distinct = present.nunique()
    if distinct == 0:
        raise DataError(f"target {name!r} is empty in all {len(table)} rows")
    if distinct == 1:
        value = present.iloc[0]
        raise DataError(f"target {name!r} is {value} in every row: there is nothing to learn")
    if _is_date(present):
        raise DataError(f"target {name!r} holds dates: give a column of numbers or classes")
    if _is_quantity(present, distinct):
        values = present.to_numpy(np.float64)
        if not np.isfinite(values).all() or np.abs(values).max() > np.finfo(np.float32).max:
            raise DataError(f"target {name!r} holds values that are infinite or too large")
        return Target(rows, values.astype(np.float32), ())
    if types.is_float_dtype(present):
        present = present.astype(np.int64)  # integers that were read beside missing values
    classes = sorted(present.unique()) if types.is_numeric_dtype(present) else None
    texts = present.astype(str)
    labels = [str(c) for c in classes] if classes is not None else sorted(texts.unique())
    index = {label: i for i, label in enumerate(labels)}
    return Target(rows, texts.map(index).to_numpy(np.int64), tuple(labels))


def precision_notices(what: str, column: pd.Series) -> list[str]:
    """One line where float32 holds a column badly, as it holds 50,000,000 give or take 10."""
    values = column.to_numpy(np.float64, na_value=np.nan)
    values = values[np.isfinite(values) & (np.abs(values) <= np.finfo(np.float32).max)]
    if not len(values):
        return []
    step = float(np.spacing(np.float32(np.abs(values).max())))
    spread = float(values.std())
    if spread == 0 or step <= COARSE * spread:
        return []
    return [
        f"{what} is held in steps of {step:g}, as models read float32, and spreads by only "
        f"{spread:.3g}: subtract {np.round(np.median(values)):,.0f} from it, here and in requests"
    ]


def numbers(table: pd.DataFrame, names: tuple[str, ...]) -> NDArray[np.float32]:
    """Numeric columns, array of shape (n_rows, n_columns); missing and infinite values are NaN."""
    values = table[list(names)].to_numpy(np.float64, na_value=np.nan)
    with np.errstate(over="ignore"):
        result = values.astype(np.float32)
    result[~np.isfinite(result)] = np.nan
    return result


def texts(table: pd.DataFrame, names: tuple[str, ...]) -> NDArray[np.object_]:
    """Categorical columns, array of str of shape (n_rows, n_columns); missing is the empty text."""
    columns = [table[name].astype(object) for name in names]
    return np.array(
        [["" if pd.isna(value) else str(value) for value in column] for column in columns],
        dtype=object,
    ).T


def _why_not(column: pd.Series) -> str | None:
    present = column.dropna()
    distinct = present.astype(str).nunique()
    if distinct == 0:
        return "it is empty"
    if distinct == 1:
        return f"it is {present.iloc[0]} in every row that has it"
    if _is_date(present):
        return "dates can't be sent as input; give numbers such as the hour instead"
    if types.is_complex_dtype(column) or types.is_timedelta64_dtype(column):
        return f"values of type {column.dtype} can't be sent as input"
    if types.is_numeric_dtype(column):
        counts_rows = (
            types.is_integer_dtype(column)
            and distinct == len(column)
            and column.max() - column.min() == len(column) - 1
        )
        return "it numbers the rows" if counts_rows else None
    kinds = {type(value) for value in present.astype(object)}
    if not kinds <= {str, bool, int, float}:
        others = ", ".join(sorted(k.__name__ for k in kinds - {str, bool, int, float}))
        return f"values of type {others} can't be sent as input"
    if distinct == len(column):
        return "every row has another text, as an identifier has"
    if distinct > MOST_CATEGORIES:
        return f"it has {distinct} different texts, more than {MOST_CATEGORIES}"
    return None


def _is_date(present: pd.Series) -> bool:
    if types.is_datetime64_any_dtype(present):
        return True
    if types.is_numeric_dtype(present):
        return False
    return bool(present.astype(str).str.match(_DATE).all())


def _is_quantity(present: pd.Series, distinct: int) -> bool:
    if types.is_bool_dtype(present) or not types.is_numeric_dtype(present):
        return False
    values = present.to_numpy(np.float64)
    whole = bool(np.isfinite(values).all() and (values == np.round(values)).all())
    return not whole or distinct > MOST_INTEGER_CLASSES
