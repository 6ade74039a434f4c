"""Rounding numbers that answers hold."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def significant(
    array: NDArray[np.floating[Any]], offset: float, n_digits: int = 6
) -> NDArray[np.float64]:
    """The offset and values, with so many significant digits of the largest value of each row: more
    is noise, and costs bytes."""
    magnitude = np.abs(array).max(axis=1, initial=1e-30)
    digits = n_digits - 1 - np.floor(np.log10(magnitude)).astype(int)
    scale = 10.0 ** digits[:, None].astype(np.float64)
    return np.asarray(np.round(array * scale + offset * scale) / scale)
