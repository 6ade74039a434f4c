"""Numbers as float32: what it can't hold, and what is taken off before, so that it can."""

import numpy as np
from numpy.typing import NDArray

LARGEST = float(np.finfo(np.float32).max)
_RESOLUTION = 1e-3
"""Steps of float32 may be so large beside a column's spread before an offset is taken off."""


def to_float32(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Values as float32; what is infinite or too large is NaN."""
    with np.errstate(over="ignore"):
        result = values.astype(np.float32)
    result[~np.isfinite(result)] = np.nan
    return result


def find_offset(finite: NDArray[np.float64]) -> float | None:
    """What to take off values that float32 would blur; None where it holds them as they are."""
    if len(finite) == 0:
        return None
    low, high = np.percentile(finite, [5, 95])
    spread = float(high - low) or float(np.ptp(finite))
    largest = float(np.abs(finite).max())
    step = largest * float(np.finfo(np.float32).eps)
    if largest > LARGEST or step <= _RESOLUTION * spread:
        return None
    offset = float(np.round(np.median(finite)))
    rest = float(np.abs(finite - offset).max())
    return offset if rest < largest / 2 else None
