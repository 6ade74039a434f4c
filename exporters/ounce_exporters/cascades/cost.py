"""What a plan costs, expected from the cards' latencies of its models."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.card import LatencyAtBatch

BATCH_SIZES = (1, 32)
"""Items that arrive together: a quiet stream and a busy one."""


def expected_ms(
    latencies: Sequence[Sequence[LatencyAtBatch]], reach: Sequence[Any], batch_size: int
) -> NDArray[np.float64]:
    """Expected milliseconds per item when `batch_size` items arrive together.

    Step k runs on its share of the items, in one call of at least one item. Of 32 items a tenth is
    a call of 3.2 items. A hundredth is a call of one item, every third time.

    Args:
        latencies: per step, its model's card.
        reach: per step, the share of items that come to it; numbers or arrays that broadcast.
        batch_size: items that arrive together.
    """
    total = np.zeros(())
    for calls, share in zip(latencies, reach, strict=True):
        items = np.maximum(batch_size * np.asarray(share, np.float64), 1)
        total = total + share * _ms_per_item(calls, items)
    return total


def _ms_per_item(
    calls: Sequence[LatencyAtBatch], items: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Median time of a call divided by its items; between the measured sizes a straight line."""
    ordered = sorted(calls, key=lambda call: call.batch_size)
    sizes = [call.batch_size for call in ordered]
    within = np.clip(items, sizes[0], sizes[-1])
    result: NDArray[np.float64] = np.interp(within, sizes, [c.p50_ms for c in ordered]) / within
    return result
