"""How large a model's file may be once it learns from all rows, where a sample raced. Pure.

A limit of size is of what is built, so the most that may come counts.
"""

import math
from collections.abc import Sequence

import onnx

from ounce_exporters.export.costs import count_leaves
from ounce_exporters.tasks.table.recipes import BOOSTED_LEAVES

_GROWING = ("decision-tree", "random-forest", "random-forest-small", "extra-trees",
            "extra-trees-small", "glass-box")  # fmt: skip
"""Each row may add leaves."""


def most_bytes(name: str, content: bytes, known: int, rows: int) -> int:
    """Of a file that learns from more rows.

    Args:
        name: of the kind of model.
        content: of the file that learned from the known rows.
        known: rows that it learned from.
        rows: that it will learn from; at least as many.
    """
    times = 1.0
    if name in _GROWING or name in BOOSTED_LEAVES:
        times = rows / known
    if name in BOOSTED_LEAVES:
        leaves = count_leaves(onnx.load_from_string(content))
        times = min(times, _nodes([BOOSTED_LEAVES[name]] * len(leaves)) / _nodes(leaves))
    return math.ceil(times * len(content))


def _nodes(leaves: Sequence[int]) -> int:
    """Of binary trees with so many leaves."""
    return sum(2 * n - 1 for n in leaves)
