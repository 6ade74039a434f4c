"""From facts of messages to OpenTelemetry's spans.

Names and attributes are those of the semantic conventions for messaging and Kafka:
https://opentelemetry.io/docs/specs/semconv/messaging/kafka/
"""

import logging
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    Link,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
)
from ounce_schemas.topics import dead_letters_topic, predictions_topic, requests_topic

from ounce_edge.telemetry.trace_context import TraceContext
from ounce_edge.telemetry.trace_facts import (
    GroupFacts,
    LetterFacts,
    MessageFacts,
    Span,
    Traced,
    TracedGroup,
)

logger = logging.getLogger(__name__)

Attributes = Mapping[str, str | bool | int | float]

_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_MOST_LINKS = 128
"""Of a batch's span: receivers drop more."""
_SYSTEM: Attributes = {"messaging.system": "kafka"}


class SpanMaker:
    """Makes the spans of one worker.

    Args:
        version: of Ounce.
        worker: name of the worker.
        group: its consumer group.
        rng: draws ids.
    """

    def __init__(
        self, version: str, worker: str, group: str, rng: random.Random | None = None
    ) -> None:
        self._resource = Resource(
            {
                "service.name": "ounce-worker",
                "service.version": version,
                "service.instance.id": worker,
            }
        )
        self._scope = InstrumentationScope("ounce", version)
        self._group = group
        self._rng = rng or random.Random()

    def spans(self, traced: Traced) -> Iterator[ReadableSpan]:
        """Those of a message that became a dead letter; or of a group, its messages first."""
        if isinstance(traced, LetterFacts):
            yield self._letter(traced)
            return
        yield from self._group_spans(traced)

    def _group_spans(self, traced: TracedGroup) -> Iterator[ReadableSpan]:
        group = traced.group
        batch = self._context_in(self._rng.getrandbits(128) or 1, TraceState())
        processes = []
        for message in traced.messages:
            process = self._context_in(message.trace_id, _state(message.context))
            processes.append(process)
            yield self._process(group, message, process)
            yield from self._steps(group, message, process, batch)
        yield self._batch(group, batch, processes)

    def _process(
        self, group: GroupFacts, message: MessageFacts, context: SpanContext
    ) -> ReadableSpan:
        attributes = {
            **self._of_request(group.task, message.partition, message.offset),
            "messaging.message.id": message.id,
            "ounce.plan": group.plan,
            "ounce.model": group.model,
            "ounce.reason": group.reason,
            "ounce.policy_version": group.policy_version,
            "ounce.latency_ms": message.latency_ms,
            "ounce.max_latency_ms": message.max_latency_ms,
            "ounce.min_accuracy": message.min_accuracy,
            "ounce.deadline_met": message.deadline_met,
            "ounce.floor_met": message.floor_met,
        }
        if message.key:  # the conventions leave it out where there is none
            attributes["messaging.kafka.message.key"] = message.key
        status = None
        logger.debug(
            "traced message %s of %s[%d] at %d",
            message.id,
            requests_topic(group.task),
            message.partition,
            message.offset,
            extra={
                "task": group.task,
                "message_id": message.id,
                "trace_id": f"{context.trace_id:032x}",
                "span_id": f"{context.span_id:016x}",
                "model": group.model,
                "latency_ms": round(message.latency_ms, 3),
            },
        )
        if message.is_refused:
            attributes["error.type"] = "answer-refused"
            status = Status(StatusCode.ERROR, "the broker refused the answer")
        return self._span(
            f"process {requests_topic(group.task)}",
            context,
            _parent(message.context),
            (message.decoded[0], group.confirmed_at_s),
            group.to_wall_s,
            kind=SpanKind.CONSUMER,
            attributes=attributes,
            status=status,
        )

    def _steps(
        self, group: GroupFacts, message: MessageFacts, process: SpanContext, batch: SpanContext
    ) -> Iterator[ReadableSpan]:
        """What was done with a message, one after the other; what it shares links to the batch."""
        links = [Link(batch)]

        def step(
            name: str, took: Span, kind: SpanKind = SpanKind.INTERNAL, **more: Any
        ) -> ReadableSpan:
            context = self._context_in(process.trace_id, process.trace_state)
            return self._span(name, context, process, took, group.to_wall_s, kind=kind, **more)

        yield step("decode", message.decoded)
        yield step("wait", (message.decoded[1], max(group.chosen[0], message.decoded[1])))
        yield step("choose", group.chosen, links=links)
        for call in group.calls:
            attributes = {"ounce.model": call.model, "messaging.batch.message_count": call.n}
            yield step(f"run {call.model}", call.took, attributes=attributes, links=links)
        answers = predictions_topic(group.task)
        yield step(
            f"send {answers}",
            (group.encoded_at_s, group.confirmed_at_s),
            SpanKind.PRODUCER,
            attributes={
                **_SYSTEM,
                "messaging.operation.type": "send",
                "messaging.operation.name": "send",
                "messaging.destination.name": answers,
            },
        )

    def _batch(
        self, group: GroupFacts, context: SpanContext, messages: Sequence[SpanContext]
    ) -> ReadableSpan:
        return self._span(
            f"batch {requests_topic(group.task)}",
            context,
            None,
            (group.chosen[0], group.confirmed_at_s),
            group.to_wall_s,
            kind=SpanKind.INTERNAL,
            attributes={
                **_SYSTEM,
                "messaging.destination.name": requests_topic(group.task),
                "messaging.batch.message_count": group.n,
                "ounce.plan": group.plan,
            },
            links=[Link(each) for each in messages[:_MOST_LINKS]],
        )

    def _letter(self, letter: LetterFacts) -> ReadableSpan:
        return self._span(
            f"process {requests_topic(letter.task)}",
            self._context(letter.context),
            _parent(letter.context),
            letter.took,
            letter.to_wall_s,
            kind=SpanKind.CONSUMER,
            attributes={
                **self._of_request(letter.task, letter.partition, letter.offset),
                "error.type": letter.reason,
                "ounce.dead_letters": dead_letters_topic(letter.task),
            },
            status=Status(StatusCode.ERROR, letter.text),
        )

    def _of_request(self, task: str, partition: int, offset: int) -> Attributes:
        return {
            **_SYSTEM,
            "messaging.operation.type": "process",
            "messaging.operation.name": "process",
            "messaging.destination.name": requests_topic(task),
            "messaging.destination.partition.id": str(partition),
            "messaging.kafka.offset": offset,
            "messaging.consumer.group.name": self._group,
            "ounce.task": task,
        }

    def _span(
        self,
        name: str,
        context: SpanContext,
        parent: SpanContext | None,
        took: Span,
        to_wall_s: float,
        **more: Any,
    ) -> ReadableSpan:
        begin_s, end_s = took
        return ReadableSpan(
            name,
            context,
            parent,
            self._resource,
            start_time=_ns(begin_s + to_wall_s),
            end_time=_ns(max(end_s, begin_s) + to_wall_s),
            instrumentation_scope=self._scope,
            **{key: value for key, value in more.items() if value is not None},
        )

    def _context(self, sender: TraceContext | None) -> SpanContext:
        """Of a new span: in its sender's trace, or in one of its own."""
        trace_id = sender.trace_id if sender else self._rng.getrandbits(128) or 1
        return self._context_in(trace_id, _state(sender))

    def _context_in(self, trace_id: int, state: TraceState) -> SpanContext:
        return SpanContext(trace_id, self._rng.getrandbits(64) or 1, False, _SAMPLED, state)


def _state(sender: TraceContext | None) -> TraceState:
    if sender is None or not sender.state:
        return TraceState()
    return TraceState.from_header([sender.state])


def _parent(sender: TraceContext | None) -> SpanContext | None:
    if sender is None:
        return None
    flags = TraceFlags(TraceFlags.SAMPLED if sender.is_sampled else TraceFlags.DEFAULT)
    return SpanContext(sender.trace_id, sender.span_id, True, flags)


def _ns(seconds: float) -> int:
    return max(int(seconds * 1e9), 0)
