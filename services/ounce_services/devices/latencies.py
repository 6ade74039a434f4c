"""Latency quantiles in constant memory."""

import math
from collections.abc import Sequence
from itertools import accumulate

_LEAST_MS = 0.1
_BUCKETS_PER_DECADE = 100  # 2.3% wide
_N_BUCKETS = 6 * _BUCKETS_PER_DECADE  # 0.1 ms to 100 s


class LatencyHistogram:
    """Counts on a logarithmic scale; what lies outside 0.1 ms to 100 s counts at that end."""

    def __init__(self) -> None:
        self.counts = [0] * _N_BUCKETS

    def add(self, latency_ms: float) -> None:
        """Count one latency."""
        if latency_ms <= _LEAST_MS:
            bucket = 0
        else:
            bucket = int(math.log10(latency_ms / _LEAST_MS) * _BUCKETS_PER_DECADE)
        self.counts[min(bucket, _N_BUCKETS - 1)] += 1


def quantile_ms(counts: Sequence[int], share: float) -> float:
    """The latency that `share` of the counted ones do not exceed, within 2.3%.

    Args:
        counts: of a histogram, or the difference of two states of one.
        share: in (0, 1].

    Returns:
        Milliseconds, the upper end of the bucket; 0 when nothing was counted.
    """
    wanted = share * sum(counts)
    if wanted <= 0:
        return 0.0
    bucket = next(i for i, seen in enumerate(accumulate(counts)) if seen >= wanted)
    return float(_LEAST_MS * 10 ** ((bucket + 1) / _BUCKETS_PER_DECADE))
