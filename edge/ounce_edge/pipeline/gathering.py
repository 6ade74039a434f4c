"""Answers of rows, gathered to one answer a message."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ounce_edge.wire.batch import Rejected
from ounce_edge.wire.records import Outgoing
from ounce_edge.wire.requests.many_rows import ManyRows, Row
from ounce_edge.wire.requests.request_head import RequestHead


class Gathered(NamedTuple):
    """What can be published."""

    answers: Outgoing
    rejected: list[Rejected]
    """Messages of which a row has no answer."""


def gather_rows(
    answers: Outgoing,
    rows: Sequence[Row | None],
    heads: Sequence[RequestHead],
    join: Callable[[ManyRows, RequestHead], bytes],
) -> Gathered:
    """Keep the answers of rows until all rows of their message have theirs.

    Args:
        answers: of requests.
        rows: which row of which message each is; None: its message has no other.
        heads: of each.
        join: makes one answer of those of all rows.
    """
    places, values, rejected = [], [], []
    for i, (body, row) in enumerate(zip(answers.values, rows, strict=True)):
        if row is None:
            places.append(i)
            values.append(body)
        elif row.of.answer(row.number, body or b""):
            if row.of.error is None:
                places.append(i)
                values.append(join(row.of, heads[i]))
            else:
                rejected.append((row.of.record, row.of.error))
    whole = Outgoing(
        answers.topic,
        values,
        [answers.keys[i] for i in places],
        None if answers.headers is None else [answers.headers[i] for i in places],
        None if answers.partitions is None else answers.partitions[np.array(places, np.intp)],
        [answers.requests[i] for i in places],
    )
    return Gathered(whole, rejected)
