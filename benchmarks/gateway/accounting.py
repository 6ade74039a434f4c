"""What arrived in Kafka, held against what was sent. Pure.

Message `i` is the one of device `i % n_devices`, so its number alone says whose it is, and which
one of that device comes next.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Account:
    """Of all messages."""

    n_sent: int
    n_lost: int
    n_repeated: int
    n_out_of_order: int
    """First arrivals behind a later message of their device."""


def account(arrivals: Iterable[int], n_sent: int, n_devices: int) -> Account:
    """Count.

    Args:
        arrivals: numbers of messages, in the order of each partition.
        n_sent: numbers are below it.
        n_devices: that sent in turn.
    """
    seen = np.zeros(n_sent, bool)
    last = np.full(n_devices, -1, np.int64)
    n_repeated = n_out_of_order = 0
    for i in arrivals:
        if seen[i]:
            n_repeated += 1
            continue
        seen[i] = True
        device = i % n_devices
        n_out_of_order += bool(i < last[device])
        last[device] = max(last[device], i)
    return Account(n_sent, int(n_sent - seen.sum()), n_repeated, n_out_of_order)


def share_within(latencies_s: Sequence[float], limit_s: float, n_asked: int) -> float:
    """Share of the requests that were answered in time; those without an answer were not."""
    return float((np.asarray(latencies_s) <= limit_s).sum()) / max(n_asked, 1)
