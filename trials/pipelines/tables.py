"""Tables that are hard on a pipeline, generated from a seed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.random import Generator
from numpy.typing import NDArray

TARGET = "target"
_TEXTS = ("north", "south", "éclair", "ß", "日本", "a b", "1", "x" * 60, "true", "NA")


@dataclass(frozen=True)
class Generated:
    """A table, and the numbers and texts that stand in it."""

    frame: pd.DataFrame
    kind: str
    """classification or regression."""


def generate(rng: Generator) -> Generated:
    """A table of 60 to 300 rows and 1 to 8 columns, with a target that follows some of them."""
    n = int(rng.integers(60, 300))
    columns: dict[str, NDArray[Any]] = {}
    for i in range(int(rng.integers(1, 9))):
        make = _KINDS[int(rng.integers(len(_KINDS)))]
        columns[f"c{i}"] = make(rng, n)
    if rng.random() < 0.3:  # a column that stands there twice
        columns["again"] = columns["c0"].copy()
    for name, column in columns.items():
        if rng.random() < 0.4:
            columns[name] = _with_gaps(rng, column)
    columns["plain"] = rng.normal(size=n)  # so that something is left to learn from
    score = rng.normal(size=n) * 0.3 + sum(_strength(column) for column in columns.values())
    kind = "classification" if rng.random() < 0.7 else "regression"
    if kind == "regression":
        scale = 10.0 ** rng.integers(-6, 7)
        columns[TARGET] = score * scale + (rng.random() < 0.3) * 1e4 * scale
    else:
        columns[TARGET] = _classes(rng, np.asarray(score))
    return Generated(pd.DataFrame(columns), kind)


def _classes(rng: Generator, score: NDArray[np.float64]) -> NDArray[Any]:
    n_classes = int(rng.choice([2, 2, 3, 5, 12]))
    edges = np.sort(rng.random(n_classes - 1))
    labels = np.digitize(score, np.quantile(score, edges)).astype(object)
    labels = np.array([f"class {label}" for label in labels], dtype=object)
    if rng.random() < 0.2:
        labels[0] = "one row of it"
    return labels


def _strength(column: NDArray[Any]) -> NDArray[np.float64]:
    """A column as a number between -1 and 1, whatever it holds."""
    if column.dtype == object:
        filled = pd.Series(column).fillna("")
        return np.asarray(filled.map(lambda text: (len(text) * 7 % 5) / 2 - 1), np.float64)
    ranks = pd.Series(column).rank().fillna(0.0).to_numpy()
    return np.asarray(2 * ranks / max(float(ranks.max()), 1.0) - 1)


def _with_gaps(rng: Generator, column: NDArray[Any]) -> NDArray[Any]:
    holes = rng.random(len(column)) < rng.choice([0.005, 0.1, 0.6])
    result = column.copy()
    result[holes] = None if column.dtype == object else np.nan
    return result


def _normal(rng: Generator, n: int) -> NDArray[Any]:
    return rng.normal(size=n) * 10.0 ** rng.integers(-3, 4) + rng.normal() * 10


def _whole(rng: Generator, n: int) -> NDArray[Any]:
    return rng.integers(-3, 10, n).astype(np.float64)


def _of_all_sizes(rng: Generator, n: int) -> NDArray[Any]:
    return rng.choice([-1, 1], n) * 10.0 ** rng.uniform(-35, 35, n)


def _tiny(rng: Generator, n: int) -> NDArray[Any]:
    """About the least that float32 holds, and below: denormals."""
    return rng.normal(size=n) * 1e-39


def _huge(rng: Generator, n: int) -> NDArray[Any]:
    return rng.normal(size=n) * 1e37


def _with_an_offset(rng: Generator, n: int) -> NDArray[Any]:
    return 5e7 + rng.normal(size=n) * 13


def _nearly_constant(rng: Generator, n: int) -> NDArray[Any]:
    column = np.full(n, 3.25)
    column[: max(1, n // 50)] = 3.25000001
    return rng.permutation(column)


def _steps(rng: Generator, n: int) -> NDArray[Any]:
    """Neighbours in float32, so that thresholds fall between them."""
    base = np.float32(rng.normal())
    steps = [base]
    for _ in range(4):
        steps.append(np.nextafter(steps[-1], np.float32(np.inf)))
    return rng.choice(np.array(steps, np.float64), n)


def _few_texts(rng: Generator, n: int) -> NDArray[Any]:
    return rng.choice(np.array(_TEXTS[: int(rng.integers(2, len(_TEXTS)))], dtype=object), n)


def _many_texts(rng: Generator, n: int) -> NDArray[Any]:
    count = max(2, n // 3)
    return np.array([f"site {i}" for i in rng.integers(0, count, n)], dtype=object)


def _dates(rng: Generator, n: int) -> NDArray[Any]:
    minutes = rng.integers(0, 60 * 24 * 365, n)
    start = pd.Timestamp("2025-01-01")
    return np.array(
        [f"{start + pd.Timedelta(minutes=int(m)):%Y-%m-%d %H:%M:%S}" for m in minutes], dtype=object
    )


_KINDS: tuple[Callable[[Generator, int], NDArray[Any]], ...] = (
    _normal, _whole, _of_all_sizes, _tiny, _huge, _with_an_offset, _nearly_constant, _steps,
    _few_texts, _many_texts, _dates,
)  # fmt: skip
