"""How far behind the best a kind of model of a table may be, before any has learned. Pure.

The figures stand in `families.json`, fitted by `python -m benchmarks.advisor.family_fitting` on the
learning curves and meta-features of LCDB 1.0. Its models are untuned and read raw columns. So
nothing is said of kinds that depend on scale or on tuning, such as networks and kernels: they race
whatever is known.
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.advice import Look, Reason

_FILE = "families.json"
_ALIKE_POINTS = 0.5
"""Points behind the best that a kind may lack at its most hopeful, and is still worth racing."""
_LEAST_ROWS = 32


@dataclass(frozen=True)
class FamilyPrior:
    """Fitted figures of one kind of model."""

    model: str
    weights: tuple[float, ...]
    """Of `describe`: points behind the best."""
    spread: tuple[float, ...]
    """Of `describe`, each at least 0: how far off that may be."""
    low: float
    high: float
    """Quantiles of how far off it was, over the spread: 10% and 90%."""


@dataclass(frozen=True)
class Lag:
    """Points of accuracy that a kind is behind the best of all."""

    expected: float
    low: float
    """At its most hopeful: in nine of ten data sets it was further behind."""
    high: float


def describe(
    n_rows: float, n_columns: int, n_classes: int, constant: float, categories: float
) -> NDArray[np.float64]:
    """What is known of a table, array of shape (6,).

    Args:
        n_rows: to learn from.
        n_columns: inputs.
        n_classes: of the target.
        constant: share of the most frequent class.
        categories: share of the columns that are categories.
    """
    return np.array(
        [
            np.log2(max(n_rows, _LEAST_ROWS)) / 10,
            np.log2(n_columns + 1) / 5,
            np.log2(n_classes) / 3,
            constant,
            categories,
            1.0,
        ]
    )


def lag_of(prior: FamilyPrior, described: NDArray[np.float64]) -> Lag:
    """What the figures say of a table, as of `describe`."""
    expected = float(described @ np.array(prior.weights))
    scale = float(described @ np.array(prior.spread))
    ends = (expected, expected + prior.low * scale, expected + prior.high * scale)
    return Lag(*(max(points, 0.0) for points in ends))


def lags(look: Look) -> dict[str, Lag]:
    """Of each kind that figures are known of; none but of tables of classes."""
    if look.structure != "table" or look.n_classes < 2:
        return {}
    n_columns = look.n_numbers + look.n_texts
    described = describe(
        look.n_rows,
        n_columns,
        look.n_classes,
        look.constant,
        look.n_texts / max(n_columns, 1),
    )
    return {prior.model: lag_of(prior, described) for prior in priors()}


def doubtful(known: dict[str, Lag]) -> frozenset[str]:
    """Kinds that are behind even at their most hopeful: others race first."""
    return frozenset(name for name, lag in known.items() if lag.low > _ALIKE_POINTS)


def learned_reason(look: Look) -> Reason | None:
    """What to expect of each kind, with its doubt."""
    known = lags(look)
    if not known:
        return None
    behind = doubtful(known)
    told = ", ".join(
        f"{name} {lag.expected:.1f} ({lag.low:.1f} to {lag.high:.1f})"
        + (" and hardly worth racing" if name in behind else "")
        for name, lag in sorted(known.items(), key=lambda item: item[1].expected)
    )
    return Reason(
        topic="prior",
        text=f"points behind the best to expect, with 80% bands: {told}; of networks and kernels "
        "nothing is said",
        figures={name: lag.expected for name, lag in known.items()},
        source=f"figures fitted on {_content()['n_sets']} public tables of LCDB 1.0",
    )


@cache
def priors() -> tuple[FamilyPrior, ...]:
    """The fitted figures."""
    return tuple(
        FamilyPrior(f["model"], tuple(f["weights"]), tuple(f["spread"]), f["low"], f["high"])
        for f in _content()["families"]
    )


@cache
def _content() -> dict[str, Any]:
    read: dict[str, Any] = json.loads((files(__package__) / _FILE).read_text(encoding="utf-8"))
    return read
