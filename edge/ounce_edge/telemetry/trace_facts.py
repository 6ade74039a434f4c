"""What a trace tells of a message: light, apart from the batch that it was in.

Times are seconds on the pipeline's steady clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ounce_edge.telemetry.trace_context import TraceContext

Span = tuple[float, float]
"""Begin and end."""


@dataclass(frozen=True, slots=True)
class CallFacts:
    """One model call."""

    model: str
    n: int
    """Requests that it was made for."""
    took: Span


@dataclass(frozen=True, slots=True)
class GroupFacts:
    """What the messages of a group share."""

    task: str
    plan: str
    model: str
    reason: str
    policy_version: str
    n: int
    """Requests that the plan was run for."""
    chosen: Span
    calls: Sequence[CallFacts]
    """Those that led to this answer, in order."""
    encoded_at_s: float
    confirmed_at_s: float
    """When the broker had the answer."""
    to_wall_s: float
    """What turns these times into seconds since 1970."""


@dataclass(frozen=True, slots=True)
class MessageFacts:
    """One message that was answered."""

    context: TraceContext | None
    """The sender's; None: a trace begins here."""
    trace_id: int
    partition: int
    offset: int
    id: str
    key: str
    decoded: Span
    latency_ms: float
    max_latency_ms: float
    min_accuracy: float
    deadline_met: bool
    floor_met: bool
    is_refused: bool
    """By the broker."""


@dataclass(frozen=True, slots=True)
class LetterFacts:
    """One message that became a dead letter."""

    task: str
    context: TraceContext | None
    partition: int
    offset: int
    reason: str
    text: str
    took: Span
    to_wall_s: float


@dataclass(frozen=True, slots=True)
class TracedGroup:
    """Messages of one group that are traced."""

    group: GroupFacts
    messages: Sequence[MessageFacts]


Traced = TracedGroup | LetterFacts
