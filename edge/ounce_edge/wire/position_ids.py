"""Ids of requests that came without one: topic, partition and offset."""

import numpy as np
from numpy.typing import NDArray

_BLOCK = 1000
"""Offsets that share a beginning. Formatting a number costs ten times a look-up, so the last three
digits come from a table, and what is before them is formatted once for neighbours."""

_ENDS = np.array(
    [b'%d"' % i for i in range(_BLOCK)] + [b'%03d"' % i for i in range(_BLOCK)], dtype=object
)
"""For offsets of the first block, which begin with these digits; then for all others."""


class PositionIds:
    """Makes ids `TOPIC-PARTITION-OFFSET`, as JSON text, quotes included."""

    def __init__(self, topic: str) -> None:
        self._start = b'"%b-' % topic.encode()

    def columns(
        self, partitions: NDArray[np.int64], offsets: NDArray[np.int64]
    ) -> tuple[list[bytes], list[bytes]]:
        """The beginnings and the ends of the ids of records in these positions; shape (n,)."""
        if not len(offsets):
            return [], []
        blocks, digits = np.divmod(offsets, _BLOCK)
        changes = (blocks[1:] != blocks[:-1]) | (partitions[1:] != partitions[:-1])
        starts = [0, *(np.flatnonzero(changes) + 1).tolist()]
        places = zip(partitions[starts].tolist(), blocks[starts].tolist(), strict=True)
        beginnings: list[bytes] = []
        for place, end in zip(places, [*starts[1:], len(offsets)], strict=True):
            beginnings += [self._beginning(*place)] * (end - len(beginnings))
        return beginnings, _ENDS[digits + _BLOCK * (blocks > 0)].tolist()

    def _beginning(self, partition: int, block: int) -> bytes:
        return b"%b%d-%b" % (self._start, partition, b"%d" % block if block else b"")
