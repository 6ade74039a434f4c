"""Types of the arrays that decisions are made on."""

import numpy as np
from numpy.typing import NDArray

Items = NDArray[np.intp]
"""Indices of messages."""
Floats = NDArray[np.float64]
"""A number per message."""
