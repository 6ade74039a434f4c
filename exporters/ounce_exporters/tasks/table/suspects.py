"""Columns that a person should look at: they give the target away, look personal, or mark gaps."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.wording import counted
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict
from sklearn.preprocessing import OrdinalEncoder
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from ounce_exporters.tasks.table.columns import InputColumn

GIVEN_AWAY = 0.98
"""Share of a constant guess's error that one column alone takes away."""
_ROWS = 2000
_LEAVES = 64
_BLOCK = 256
"""Columns that are sorted at once: some megabytes."""
_PERSONAL_NAME = re.compile(
    r"(?i)(full|first|last|sur|family|given|user|patient|customer)?[ _.-]?name"
)
_PERSONAL_WORD = re.compile(
    r"(?i)(.*[^a-z])?"
    r"(e-?mail|phone|mobile|address|birth(day|[ _.-]?date)?|dob|ssn|passport|iban)([^a-z].*)?"
)
_YES_OR_NO = 3
"""Values, with a gap: a column of no more says whether there is a phone, and not whose it is."""
_E_MAIL = re.compile(r"[^@\s]+@[^@\s]+\.[a-zA-Z]{2,}")
_PHONE = re.compile(r"\+\d[\d ()/-]{7,}")
_GAP = -1e30
_COLUMNS = 200
_LIMITS = {2.0**bits - one for bits in (15, 16, 31, 32) for one in (0.0, 1.0)}
"""What instruments write where they have no reading: ends of their number types, and nines."""
_LEAST_MARKS = 3
_TOLD = 0.95
"""Share of a class that columns tell between them: some of its rows may have no recorded kind."""
_EXACT = 1e-6
"""Share of the target's variance that a sum may leave."""
_ROUNDED = 1e-3
"""That share, where the sum is written with fewer digits."""
_PART = 1e-3
"""Share of the target's deviation from which a column is a part of the sum."""


def find_leaks(
    columns: Sequence[InputColumn], targets: NDArray[Any], *, classifies: bool
) -> list[str]:
    """One line for each column that alone predicts the target nearly without error.

    Args:
        columns: inputs, of all rows.
        targets: label indices or values; array of shape (n_rows,).
        classifies: whether targets are classes.
    """
    rng = np.random.default_rng(0)
    rows = rng.permutation(len(targets))[:_ROWS]
    truth = targets[rows]
    if classifies:
        _, truth = np.unique(truth, return_inverse=True)
        if np.bincount(truth).min() < 3:
            keep = np.bincount(truth)[truth] >= 3
            rows, truth = rows[keep], truth[keep]
        if len(np.unique(truth)) < 2:
            return []
        constant = 1 - np.bincount(truth).max() / len(truth)
    else:
        constant = float(np.var(truth.astype(np.float64)))
    if constant == 0:
        return []
    lines = []
    most = (1 - GIVEN_AWAY) * constant
    for column, values in _candidates(columns, rows, truth, most, classifies=classifies):
        if _error(values, truth, classifies, quick=True) > most:
            continue
        left = _error(values, truth, classifies, quick=False) / constant
        if left <= 1 - GIVEN_AWAY:
            name = column.cell.column
            unit = "" if column.is_number else f"; if it tells whose a row is, say --unit '{name}'"
            lines.append(
                f"column {name!r} alone gives the target away ({1 - left:.1%} of a guess's error "
                f"is gone): if it is known only afterwards, train --without '{name}'{unit}"
            )
    return list(dict.fromkeys(lines))


def _candidates(
    columns: Sequence[InputColumn],
    rows: NDArray[np.int64],
    truth: NDArray[Any],
    most: float,
    *,
    classifies: bool,
) -> Iterator[tuple[InputColumn, NDArray[np.float64]]]:
    """Columns, as features of shape (n_rows, 1), of which a tree could leave so little error."""
    for start in range(0, len(columns), _BLOCK):
        block = columns[start : start + _BLOCK]
        values = np.concatenate([_as_feature(column, rows) for column in block], axis=1)
        sorted_truth = truth[values.argsort(axis=0)]
        for i in np.flatnonzero(_least_error(sorted_truth, classifies) <= most).tolist():
            yield block[i], values[:, i : i + 1]


def _least_error(truth: NDArray[Any], classifies: bool) -> NDArray[np.float64]:
    """A bound below the error of any tree on one column. Its leaves are stretches of the rows in
    the column's order. In a stretch each wrong row makes two changes of the class at most; of a
    value, the squares of neighbours' differences are at most four times its squared error.

    Args:
        truth: in each column's order; array of shape (n_rows, n_columns).
        classifies: whether it is of classes.
    """
    if classifies:
        changes = (truth[1:] != truth[:-1]).sum(axis=0)
        return np.asarray((changes - (_LEAVES - 1)) / 2 / len(truth), np.float64)
    squares = np.square(np.diff(truth.astype(np.float64), axis=0))
    between = min(_LEAVES - 1, len(squares))  # leaves: as if the largest were all there
    inside = np.partition(squares, len(squares) - between, axis=0)[: len(squares) - between]
    return np.asarray(inside.sum(axis=0) / 4 / len(truth), np.float64)


def find_sum(columns: Sequence[InputColumn], targets: NDArray[Any]) -> str | None:
    """A line where some numbers, each times a constant, add up to a quantity; None elsewhere."""
    numbers = [column for column in columns if column.is_number][:_COLUMNS]
    if not numbers:
        return None
    X = np.stack([column.values[:_ROWS] for column in numbers], axis=1).astype(np.float64)
    truth = targets[:_ROWS].astype(np.float64)
    whole = ~np.isnan(X).any(axis=1)
    X, truth = X[whole] - X[whole].mean(axis=0), truth[whole] - truth[whole].mean()
    if len(truth) < 2 * len(numbers) or not truth.any():
        return None
    factors = np.linalg.lstsq(X, truth, rcond=None)[0]
    left = X @ factors - truth
    share = np.square(left).sum() / np.square(truth).sum()
    rounded = np.abs(left).max() <= _step(targets[:_ROWS]) and share <= _ROUNDED
    if share > _EXACT and not rounded:
        return None
    shares = np.abs(factors) * X.std(axis=0) / truth.std()
    least = _PART if share <= _EXACT else max(_PART, 10 * np.sqrt(share))  # digits that are lacking
    least = min(least, shares.max() / 2)  # many parts are small ones
    parts = [numbers[i].cell.column for i in np.flatnonzero(shares > least)]
    names = ", ".join(repr(name) for name in dict.fromkeys(parts))
    if len(parts) == 1:
        return (
            f"column {names}, times a constant, is the target: if it is known only afterwards, "
            f"train --without {names}"
        )
    return (
        f"columns {names} add up to the target: if they are known only afterwards, train "
        f"--without '{parts[0]}' and so on"
    )


def find_causes(columns: Sequence[InputColumn], targets: NDArray[Any]) -> str | None:
    """A line where yes/no columns tell the rarer of two classes between them; None elsewhere.

    A failure is often recorded beside its kinds: each of them means the failure, and no row fails
    without one.

    Args:
        columns: inputs, of all rows.
        targets: label indices; array of shape (n_rows,).
    """
    classes, places, counts = np.unique(targets, return_inverse=True, return_counts=True)
    if len(classes) != 2 or counts[0] == counts[1]:
        return None
    rarer = places == counts.argmin()
    told = np.zeros(len(targets), np.bool_)
    causes = []
    for column in columns:
        if column.values.ndim > 1 or len(np.unique(column.values[:_ROWS])) > 2:
            continue  # the first rows tell nearly always
        kinds, which = np.unique(column.values, return_inverse=True)
        if len(kinds) != 2:
            continue
        for kind in (0, 1):
            means = which == kind
            if means.sum() >= _LEAST_MARKS and rarer[means].all():
                told |= means
                causes.append(column.cell.column)
    if len(causes) < 2 or told.sum() < _TOLD * rarer.sum():
        return None
    return (
        f"columns {', '.join(map(repr, causes))} tell {told.sum() / rarer.sum():.0%} of the rarer "
        f"class between them, and nothing of the other: if they are known only afterwards, train "
        f"--without '{causes[0]}' and so on"
    )


def _step(values: NDArray[Any]) -> float:
    """The unit of the last digit that values are written with, up to four; 0 for more."""
    exact = values.astype(np.float64)
    for digits in range(5):
        if np.allclose(exact, exact.round(digits), rtol=1e-6, atol=0):
            return 10.0**-digits
    return 0.0


def find_marks(columns: Sequence[InputColumn]) -> list[str]:
    """One line for each column of numbers with a value such as -9999 that seems to mark a gap: it
    stands in several rows, and as far from all other values as these are from each other."""
    lines = []
    for column in columns:
        if not column.is_number:
            continue
        values = column.values[np.isfinite(column.values)].astype(np.float64)
        whole = values + (column.cell.offset or 0.0)
        for mark in {whole.min(initial=0.0), whole.max(initial=0.0)}:
            others = whole[whole != mark]
            n = len(whole) - len(others)
            if n < _LEAST_MARKS or not len(others) or not _is_mark(mark):
                continue
            if np.abs(others - mark).min() > np.ptp(others):
                lines.append(
                    f"column {column.cell.column!r} holds {mark:.0f} in {counted(n, 'row')}, far "
                    "from all "
                    "other values: if it marks a gap, leave these cells empty, and train again"
                )
    return lines


def _is_mark(value: float) -> bool:
    size = abs(value)
    return size in _LIMITS or (size.is_integer() and set(f"{size:.0f}") == {"9"})


def find_personal(columns: Sequence[InputColumn]) -> list[str]:
    """One line for each column whose name or content looks as if it were of persons."""
    found = dict.fromkeys(column.cell.column for column in columns if _looks_personal(column))
    return [
        f"column {name!r} looks personal: its texts stand in the task's document and devices must "
        f"send it; leave it out with --without '{name}'"
        for name in found
    ]


def _looks_personal(column: InputColumn) -> bool:
    name = column.cell.column
    says_more = len({str(value) for value in column.values[:_ROWS]}) > _YES_OR_NO
    if _PERSONAL_NAME.fullmatch(name) or (_PERSONAL_WORD.fullmatch(name) and says_more):
        return True
    if column.is_number:
        return False
    texts = [text for text in column.values[:_ROWS] if text]
    personal = sum(bool(_E_MAIL.fullmatch(text) or _PHONE.fullmatch(text)) for text in texts)
    return personal > 0.5 * len(texts)


def _as_feature(column: InputColumn, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    if column.is_number:
        return np.nan_to_num(column.values[rows].astype(np.float64), nan=_GAP).reshape(-1, 1)
    texts = column.values[rows].reshape(-1, 1)
    return np.asarray(OrdinalEncoder().fit_transform(texts), np.float64)


def _error(
    values: NDArray[np.float64], truth: NDArray[Any], classifies: bool, *, quick: bool
) -> float:
    """Share of wrong classes, or mean squared error: of rows that were learned, or held out."""
    kind = DecisionTreeClassifier if classifies else DecisionTreeRegressor
    tree = kind(max_leaf_nodes=_LEAVES, min_samples_leaf=2, random_state=0)
    if quick:
        answers = tree.fit(values, truth).predict(values)
    else:
        folds = (StratifiedKFold if classifies else KFold)(3, shuffle=True, random_state=0)
        answers = cross_val_predict(tree, values, truth, cv=folds)
    if classifies:
        return float((answers != truth).mean())
    return float(np.square(answers - truth.astype(np.float64)).mean())
