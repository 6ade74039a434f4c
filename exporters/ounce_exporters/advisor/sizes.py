"""How large a model's file may be once it learns from all rows, where a sample raced. Pure.

A limit of size is of what is built, so the most that may come counts.
"""

import math

import onnx

from ounce_exporters.export.costs import count_leaves

_GROWING = ("decision-tree", "random-forest", "random-forest-small", "extra-trees",
            "extra-trees-small", "glass-box")  # fmt: skip
"""Each row may add leaves."""
_FULL = ("gradient-boosting", "gradient-boosting-small")
"""Trees of so many leaves at most, which the largest has already."""


def most_bytes(name: str, content: bytes, known: int, rows: int) -> int:
    """Of a file that learns from more rows.

    Args:
        name: of the kind of model.
        content: of the file that learned from the known rows.
        known: rows that it learned from.
        rows: that it will learn from; at least as many.
    """
    times = 1.0
    if name in (*_GROWING, *_FULL):
        times = rows / known
    if name in _FULL:
        leaves = count_leaves(onnx.load_from_string(content))
        times = min(times, max(leaves) * len(leaves) / sum(leaves))
    return math.ceil(times * len(content))
