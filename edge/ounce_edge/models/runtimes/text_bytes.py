"""Texts as the bytes that graphs read: UTF-8, cut or padded with zeros."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def encode_texts(texts: NDArray[Any], n_bytes: int) -> NDArray[np.uint8]:
    """Blanks around a text don't count. What UTF-8 can't hold, half a surrogate pair, becomes `?`.

    Args:
        texts: str objects, shape (n, *item).
        n_bytes: of each text; the rest is cut off.

    Returns:
        Array of shape (n, *item, n_bytes).
    """
    joined = b"".join(
        [
            text.strip()[:n_bytes].encode("utf-8", "replace")[:n_bytes].ljust(n_bytes, b"\0")
            for text in texts.ravel().tolist()
        ]
    )
    return np.frombuffer(joined, np.uint8).reshape(*texts.shape, n_bytes)
