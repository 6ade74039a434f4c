"""Columns of sentences: which they are, and how much of them models read."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

TEXT_INPUT = "text"
MOST_BYTES = 512
_LEAST_BYTES = 32
_STEP = 16
_LEAST_DISTINCT = 0.5
"""Share of the texts that are different."""
_LEAST_TEXTS = 40
_LEAST_WORDS = 4
"""Half of the texts have so many."""


def is_sentences(column: pd.Series) -> bool:
    """Whether texts are many, different and of several words each."""
    present = column[column != ""]
    if len(present) < _LEAST_TEXTS or present.nunique() < _LEAST_DISTINCT * len(present):
        return False
    return float(present.str.count(r"\s+").median()) >= _LEAST_WORDS - 1


def bytes_to_read(columns: Sequence[NDArray[Any]]) -> int:
    """Bytes of UTF-8 that hold 95% of the texts whole, within bounds.

    Args:
        columns: str objects, each of shape (n_rows,).
    """
    sizes = [len(text[:MOST_BYTES].encode("utf-8", "replace")) for c in columns for text in c]
    most = int(np.percentile(sizes, 95)) if sizes else 0
    return int(np.clip(-(-most // _STEP) * _STEP, _LEAST_BYTES, MOST_BYTES))


def cut(texts: NDArray[Any], n_bytes: int) -> NDArray[np.object_]:
    """What models read of each text, so that no split holds more."""
    kept = [t.strip()[:n_bytes].encode("utf-8", "replace")[:n_bytes].decode("utf-8", "ignore")
            for t in texts]  # fmt: skip
    return np.array(kept, dtype=object)
