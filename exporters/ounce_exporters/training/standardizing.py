"""A quantity in units of its own spread, as models learn it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def standardize(values: NDArray[Any]) -> tuple[NDArray[np.float64], float, float]:
    """Values less their mean, over their standard deviation; the mean; and the deviation.

    In double precision: the square of a 32-bit number from 10^19 on is infinite in 32 bits.

    Args:
        values: array of shape (n_items,).
    """
    exact = np.asarray(values, np.float64)
    centre, spread = float(exact.mean()), float(exact.std()) or 1.0
    return (exact - centre) / spread, centre, spread
