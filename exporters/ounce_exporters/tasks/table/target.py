"""What is to be predicted: classes or a quantity."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from ounce_schemas.cells import as_text
from ounce_schemas.errors import DataError
from ounce_schemas.task import TaskKind
from ounce_schemas.wording import counted
from pandas.api.types import is_numeric_dtype

from ounce_exporters.tasks.splits import LEAST_PER_CLASS
from ounce_exporters.tasks.table.categories import alike
from ounce_exporters.tasks.table.dates import is_dates
from ounce_exporters.tasks.table.float32 import LARGEST, find_offset
from ounce_exporters.tasks.table.notices import Notices
from ounce_exporters.tasks.table.quantities import find_decimal, plain_numbers, read_quantity

MOST_INTEGER_CLASSES = 20
"""Whole numbers of more distinct values are a quantity, not classes."""
_LEAST_RARE = 3
MOST_BOOSTED_CLASSES = 500
"""Boosting grows a tree for each class in every round. With more its file has over 5,000 trees, and
10 rounds of them are too few to learn from."""
_MISSING = {"na", "nan", "null", "none", "n/a"}
_SPREADS = 1e-5, 1e15
"""Of a quantity: scikit-learn's trees don't split a smaller one, and squares of errors go into
float32."""


@dataclass(frozen=True)
class Target:
    """What is to be predicted."""

    rows: NDArray[np.bool_]
    """Rows of the table that have a target; array of shape (n_rows,)."""
    values: NDArray[Any]
    """Of those rows: label indices, int64, or values less `offset`, float32."""
    labels: tuple[str, ...]
    """In order of the indices; empty for a regression."""
    name: str
    """The column."""
    notices: tuple[str, ...]
    offset: float | None = None
    """Taken off a quantity that float32 would blur."""


def read_target(
    table: pd.DataFrame,
    name: str,
    kind: TaskKind | None = None,
    decimal: str | None = None,
) -> Target:
    """Take the target column: texts and few-valued whole numbers are classes, unless told.

    Args:
        table: columns of float64 or text.
        name: of the target.
        kind: what the person says that it is.
        decimal: decimal mark, where given.

    Raises:
        DataError: no such column, or it can't be learned as it is.
    """
    check_target(table, name)
    column = table[name]
    rows = column.notna().to_numpy() if is_numeric_dtype(column) else (column != "").to_numpy(bool)
    present = column[rows]
    _check(present, name, len(table))
    numbers, notices = _numbers(table, present, decimal, sure=kind == "regression")
    if numbers is None and kind == "regression":
        raise DataError(
            f"--kind regression: target {name!r} holds texts, such as {_example(present)}"
        )
    if numbers is not None:
        readable = ~np.isnan(numbers)
        rows = rows.copy()
        rows[rows] = readable
        present, numbers = present[readable], numbers[readable]
        whole = bool(np.isfinite(numbers).all() and (numbers == np.round(numbers)).all())
        distinct = len(np.unique(numbers))
        if kind is None and whole and distinct <= MOST_INTEGER_CLASSES and _are_counts(numbers):
            line = (
                f"target {name!r} is taken for a quantity: few rows have its largest or smallest "
                "values; for classes say --kind classification"
            )
            return _quantity(rows, numbers, name, (*notices, line))
        if kind == "regression" or (
            kind is None and (not whole or distinct > MOST_INTEGER_CLASSES)
        ):
            return _quantity(rows, numbers, name, notices)
        if whole or is_numeric_dtype(present):
            present = pd.Series([as_text(float(v)) for v in numbers], dtype=str)
        notices += _hint(numbers, name, kind)
    else:
        rows, gaps = _without_gaps(table, name, rows)
        present = column[rows]
        notices += gaps or _hint_of_texts(present, name)
    return _classes(rows, present.reset_index(drop=True), name, notices)


def _are_counts(numbers: NDArray[np.float64]) -> bool:
    """Whether whole numbers thin out towards an end, as counts do and classes don't: several
    values are too rare for a class, all of them lie beyond the frequent ones, and the first is
    near these. Codes such as 97, 98 and 99 are far from 1 to 5."""
    values, n_rows = np.unique(numbers, return_counts=True)
    rare = values[n_rows < LEAST_PER_CLASS]
    frequent = values[n_rows >= LEAST_PER_CLASS]
    if len(rare) < _LEAST_RARE or not len(frequent):
        return False
    least, most = frequent.min(), frequent.max()
    beyond = np.maximum(rare - most, least - rare)
    return bool((beyond > 0).all() and beyond.min() <= max(most - least, 1.0))


def check_target(table: pd.DataFrame, name: str) -> None:
    """Refuse a target that the table does not have.

    Raises:
        DataError: there is no such column.
    """
    if name not in table.columns:
        names = ", ".join(table.columns)
        hint = (
            "; name the separator with --sep" if len(table.columns) == 1 and name in names else ""
        )
        raise DataError(f"there is no column {name!r}: the table has {names}{hint}")


def _check(present: pd.Series, name: str, n_rows: int) -> None:
    distinct = present.nunique()
    if distinct == 0:
        raise DataError(f"target {name!r} is empty in all {n_rows} rows")
    if distinct == 1:
        value = as_text(present.iloc[0])
        raise DataError(f"target {name!r} is {value} in every row: there is nothing to learn")
    if not is_numeric_dtype(present) and is_dates(present):
        raise DataError(f"target {name!r} holds dates: give a column of numbers or classes")


def _numbers(
    table: pd.DataFrame, present: pd.Series, decimal: str | None, *, sure: bool
) -> tuple[NDArray[np.float64] | None, tuple[str, ...]]:
    """The target's numbers, a gap where there is none, and what was found out about them."""
    if is_numeric_dtype(present):
        return present.to_numpy(np.float64), ()
    if decimal is None and present.str.contains("[.,]", regex=True).any():
        decimal = find_decimal(table[c] for c in table if not is_numeric_dtype(table[c]))
    quantity = read_quantity(present, decimal, sure=sure)
    if quantity is None:
        return None, ()
    notices = Notices()
    odd = (*quantity.odd, *quantity.marks)
    if odd:
        n = int(np.isnan(quantity.values).sum())
        left_out = counted(n, "row is left out: its", "rows are left out: their")
        notices.say(f"{left_out} {present.name!r} is no number but {odd[0]!r}"
                    + (" and others" if len(odd) > 1 else ""))  # fmt: skip
    if quantity.unit is not None:
        notices.say(f"target {present.name!r} is a number with the unit {quantity.unit!r}")
    if quantity.decimal == ",":
        notices.say(f"target {present.name!r} has decimal commas")
    return quantity.values, notices.lines


def _quantity(
    rows: NDArray[np.bool_],
    numbers: NDArray[np.float64],
    name: str,
    notices: tuple[str, ...],
) -> Target:
    bad = ~(np.abs(numbers) <= LARGEST)
    if bad.any():
        raise DataError(
            f"target {name!r} holds {numbers[bad][0]:g}, which is infinite or too large: "
            "write it in another unit, or leave such rows out"
        )
    spread = float(np.std(numbers))
    if not _SPREADS[0] < spread < _SPREADS[1]:
        notices += (
            f"target {name!r} has a spread of {spread:.2g}, with which some models can't compute: "
            "write it in another unit",
        )
    offset = find_offset(numbers)
    if offset is None:
        return Target(rows, numbers.astype(np.float32), (), name, notices)
    line = (
        f"the models learn target {name!r} less {as_text(offset)}, since float32 would blur it; "
        "answers and labels are of the whole value"
    )
    rest = (numbers - offset).astype(np.float32)
    return Target(rows, rest, (), name, (*notices, line), offset)


def _classes(
    rows: NDArray[np.bool_], texts: pd.Series, name: str, notices: tuple[str, ...]
) -> Target:
    counts = texts.value_counts()
    rare = counts[counts < LEAST_PER_CLASS]
    if len(counts) - len(rare) < 2:
        raise DataError(
            f"target {name!r}: two classes of {LEAST_PER_CLASS} rows or more are needed, and "
            f"{len(counts) - len(rare)} of {len(counts)} have so many; class {rare.index[0]!r} has "
            f"{counted(rare.iloc[0], 'row')} (for a quantity say --kind regression)"
        )
    kept = ~texts.isin(rare.index).to_numpy(bool)
    if len(rare):
        shown = ", ".join(f"{label!r} ({counted(n, 'row')})" for label, n in list(rare.items())[:5])
        more = f" and {len(rare) - 5} more" if len(rare) > 5 else ""
        notices += (
            f"classes of fewer than {LEAST_PER_CLASS} rows are left out with their rows: "
            f"{shown}{more}; no model will ever answer with them",
        )
        rows = rows.copy()
        rows[rows] = kept
        texts = texts[kept]
    labels = sorted(texts.unique(), key=_order)
    notices += _alike(labels)
    index = {label: i for i, label in enumerate(labels)}
    return Target(rows, texts.map(index).to_numpy(np.int64), tuple(labels), name, notices)


def _alike(labels: Sequence[str]) -> tuple[str, ...]:
    """A line where classes differ in capital letters alone."""
    if not (same := alike(labels)):
        return ()
    return (f"classes {', '.join(same)} differ in capital letters alone: each is one of its own",)


def _order(label: str) -> tuple[bool, float, str]:
    """Numbers by size, then texts."""
    try:
        return False, float(label), label
    except ValueError:
        return True, 0.0, label


def _hint(numbers: NDArray[np.float64], name: str, kind: str | None) -> tuple[str, ...]:
    distinct = len(np.unique(numbers))
    if kind is not None or distinct == 2:
        return ()
    return (
        f"target {name!r} holds {distinct} whole numbers, which are taken for classes; for a "
        "quantity say --kind regression",
    )


def _hint_of_texts(present: pd.Series, name: str) -> tuple[str, ...]:
    marks = [text for text in present.unique() if text.lower() in _MISSING]
    return tuple(
        f"{text!r} is a class of target {name!r}; a row without a target has an empty cell"
        for text in marks
    )


def _without_gaps(
    table: pd.DataFrame, name: str, rows: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], tuple[str, ...]]:
    """Rows with a class, where the table's numbers show which text marks a gap in it."""
    column = table[name]
    texts = [text for text in column[rows].unique() if text.lower() in _MISSING]
    gaps = [text for text in texts if _marks_gaps(table.drop(columns=name), text)]
    kept = rows & ~column.isin(gaps).to_numpy(bool)
    lines = tuple(
        f"{counted((column == gap).sum(), 'row is left out: its', 'rows are left out: their')} "
        f"{name!r} is {gap!r}, which marks a "
        "gap in the numbers of the table (where it is a class, write it in another way)"
        for gap in gaps
    )
    return kept, lines


def _marks_gaps(table: pd.DataFrame, mark: str) -> bool:
    """Whether a text stands among numbers, in a column of nothing else."""
    for name in table:
        if is_numeric_dtype(table[name]):
            continue
        texts = set(table[name].unique().tolist())
        others = list(texts - {mark, ""})
        if mark in texts and others and len(plain_numbers(others)) == len(others):
            return True
    return False


def _example(present: pd.Series) -> str:
    return repr(str(present.iloc[0]))
