"""The arrays that decisions are made on."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Items = NDArray[np.intp]
"""Indices of messages."""
Floats = NDArray[np.float64]
"""A number per message."""
NONE: Items = np.empty(0, np.intp)
"""No messages."""


@lru_cache(64)
def everything(n: int) -> Items:
    """Indices of `n` messages; not to be written to."""
    items = np.arange(n)
    items.flags.writeable = False
    return items
