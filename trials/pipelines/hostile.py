"""Rows that no training row is like."""

from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from ounce_exporters.ladder.recipe import Inputs
from ounce_schemas.task import TensorSpec

_NUMBERS = (
    *(0.0, -0.0, 1.0, -1.0, 1e-45, -1e-40, 1e-30, 1e10, -1e10, 16777217.0),
    *(3.4e38, -3.4e38, 1e38, 1e20, -1e30, np.nan),
)
"""A gap among them; what is infinite is `INFINITE`."""
INFINITE = (np.inf, -np.inf)
_TEXTS = ("", "unseen", "NORTH ", "\u0000", "x" * 5000, "éclair", "e\u0301clair", "🙂", "nan", "0")


def make_rows(
    rng: Generator, specs: tuple[TensorSpec, ...], known: Inputs, n: int
) -> dict[str, NDArray[Any]]:
    """Rows of known values in which some, or all, are replaced.

    Args:
        rng: source of chance.
        specs: of the inputs.
        known: arrays of values that the models have met, by name.
        n: rows to make.
    """
    sources = rng.integers(0, len(next(iter(known.values()))), n)
    replaced = rng.choice([0.0, 0.2, 1.0], n, p=[0.2, 0.6, 0.2])
    return {spec.name: _disturb(rng, spec, known[spec.name][sources], replaced) for spec in specs}


def _disturb(
    rng: Generator, spec: TensorSpec, values: NDArray[Any], replaced: NDArray[np.float64]
) -> NDArray[Any]:
    result = values.copy()
    chosen = rng.random(values.shape) < replaced[:, None]
    if spec.datatype == "BYTES":
        result[chosen] = rng.choice(np.array(_TEXTS, dtype=object), int(chosen.sum()))
        return result
    others = rng.choice(np.array([*_NUMBERS, *INFINITE], np.float32), int(chosen.sum()))
    near = rng.random(len(others)) < 0.4  # the neighbour of a known value, where a threshold may be
    beside = np.nextafter(result[chosen], np.where(rng.random(len(others)) < 0.5, -np.inf, np.inf))
    with np.errstate(invalid="ignore"):
        result[chosen] = np.where(near, beside.astype(np.float32), others)
    return result
