"""A true answer on the wire, which may come long after the prediction it belongs to."""

from enum import StrEnum

import msgspec


class Label(msgspec.Struct):
    """The truth about one request: the value of a record in the task's labels topic."""

    id: str | None = None
    """The prediction's: the request's `ce_id`, or `topic-partition-offset` of a bare record. May be
    left out where the record has it as its header `ce_id`."""
    label: str | None = None
    """Classification: one of the task's labels."""
    value: float | None = None
    """Regression: the true value."""


class LabelOutcome(StrEnum):
    """What became of a label at one worker. A closed set, so that it can label a metric."""

    JOINED = "joined"
    """Held against the answer that it belongs to."""
    UNKNOWN = "unknown"
    """Its answer is not remembered here: another worker's, forgotten, or never given."""
    REPEATED = "repeated"
    """Its answer had a label already; the first one counts."""
    INVALID = "invalid"
    """No truth of this task: no such class, no finite number, or the wrong field."""
    UNDECODABLE = "undecodable"
    """Not a label: no JSON, wrong types, without an id, or larger than labels are."""
    DROPPED = "dropped"
    """Arrived faster than the worker took labels."""
