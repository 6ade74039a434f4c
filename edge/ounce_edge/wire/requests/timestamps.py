"""From which moment a request's deadline counts."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ounce_edge.wire.records import Record

MOST_BEHIND_MS = 12 * 3_600_000.0
"""A request that waited longer is no sign of a backlog alone: no deadline is over an hour."""
MOST_AHEAD_MS = 60_000.0
"""Clocks that are set by the network differ by less."""
_LOG_APPEND_TIME = 2
"""Kind of a timestamp that the broker set (librdkafka's RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME)."""


def sent_at_ms(
    times_ms: NDArray[np.int64], now_ms: float, records: Sequence[Record]
) -> tuple[NDArray[np.float64], NDArray[np.bool_] | None]:
    """When requests were sent, as far as their timestamps can be believed.

    A timestamp is off where it lies further from the worker's clock than `MOST_BEHIND_MS` or
    `MOST_AHEAD_MS`, and a device set it rather than the broker. Such a request counts from now, as
    does one without a timestamp, or one that is a little ahead.

    Args:
        times_ms: milliseconds since 1970, not positive where there is none; shape (n,).
        now_ms: the same, on the worker's clock.
        records: of these times; looked at only where a time is off.

    Returns:
        When they were sent, in milliseconds since 1970, and which timestamps are off; both of shape
        (n,). None for the latter: none is.
    """
    earliest_ms, latest_ms = now_ms - MOST_BEHIND_MS, now_ms + MOST_AHEAD_MS
    if not len(times_ms) or (times_ms.min() >= max(earliest_ms, 0.0) and times_ms.max() <= now_ms):
        return times_ms.astype(np.float64), None
    is_absent = times_ms < 0
    is_off = ~is_absent & ((times_ms < earliest_ms) | (times_ms > latest_ms))
    for i in np.flatnonzero(is_off).tolist():
        is_off[i] = records[i].timestamp()[0] != _LOG_APPEND_TIME
    at_ms = np.where(is_absent | is_off, now_ms, np.minimum(times_ms, now_ms))
    return at_ms, is_off if is_off.any() else None
