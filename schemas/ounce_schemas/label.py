"""A true answer on the wire, which may come long after the prediction it belongs to."""

from enum import StrEnum

import msgspec

MOST_LABEL_BYTES = 4096
"""A label is an id, and a class or a number. With the bound on their number it bounds memory."""
KEY_ERRORS = "surrogateescape"
"""How keys that are no UTF-8 become texts, and bytes again."""


class Label(msgspec.Struct):
    """The truth about one request: the value of a record in the task's labels topic.

    Ids of two senders may be equal. A label therefore names the source, or has the key of the
    request's record; one that does neither joins where one sender alone has used the id.
    """

    id: str | None = None
    """The prediction's: the request's `ce_id`, or `topic-partition-offset` of a bare record. May be
    left out where the record has it as its header `ce_id`."""
    label: str | None = None
    """Classification: one of the task's labels."""
    value: float | None = None
    """Regression: the true value."""
    source: str | None = None
    """The request's `ce_source`. Where the id is in the header `ce_id`, it may be in the header
    `ce_source`."""
    device: str | None = None
    """Key of the request's record. May be left out where the label's record has the same key."""


class LabelOutcome(StrEnum):
    """What became of a label at one worker. A closed set, so that it can label a metric."""

    JOINED = "joined"
    """Held against the answer that it belongs to."""
    UNKNOWN = "unknown"
    """No answer of its id is remembered here: another worker's, forgotten, or never given."""
    MISMATCHED = "mismatched"
    """Requests with its id are remembered here, and none of its source or key."""
    AMBIGUOUS = "ambiguous"
    """Requests of several senders have its id, and it does not say which it is about."""
    REPEATED = "repeated"
    """Its answer had a label already; the first one counts."""
    INVALID = "invalid"
    """No truth of this task: no such class, no finite number, or the wrong field."""
    UNDECODABLE = "undecodable"
    """Not a label: no JSON, wrong types, without an id, or larger than labels are."""
    DROPPED = "dropped"
    """Arrived faster than the worker took labels."""

    @property
    def is_of_memory(self) -> bool:
        """Whether it is found out by looking for the answer, rather than by reading the record."""
        return self not in (LabelOutcome.UNDECODABLE, LabelOutcome.DROPPED)
