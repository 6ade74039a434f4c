"""What a pipeline hands to a delivery, made by hand."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from ounce_edge.wire.records import Headers, Outgoing

from tests.support.edge.ladders import FakeRecord


def outgoing(
    topic: str,
    values: Sequence[bytes | None],
    keys: Sequence[bytes | None] | None = None,
    headers: Sequence[Headers | None] | None = None,
    partitions: NDArray[np.int64] | None = None,
    *,
    first_offset: int = 0,
    requests: str = "ounce.t.requests",
) -> Outgoing:
    """Records that answer requests of one partition, one after another.

    Args:
        topic: where to.
        values: one per record.
        keys: likewise; without them none has a key.
        headers: likewise.
        partitions: of the requests.
        first_offset: of the first request.
        requests: topic of the requests.
    """
    asked = [
        FakeRecord(b"asked", offset_=first_offset + i, partition_=0, topic_=requests)
        for i in range(len(values))
    ]
    keys = [None] * len(values) if keys is None else keys
    return Outgoing(topic, values, keys, headers, partitions, asked)
