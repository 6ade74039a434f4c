"""A true answer on the wire, which may come long after the prediction it belongs to."""

import msgspec


class Label(msgspec.Struct):
    """The truth about one request: the value of a record in the task's labels topic.

    The id is the prediction's: the request's `ce_id`, or `topic-partition-offset` of a bare record.
    """

    id: str
    label: str | None = None
    """Classification: one of the task's labels."""
    value: float | None = None
    """Regression: the true value."""
