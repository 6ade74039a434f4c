"""Traces of messages: picked once the broker holds their answers, and handed to a sender.

Spans are made after the fact, from times that the pipeline kept. So what is not traced costs next
to nothing, and a message that missed a target is traced whatever was drawn.
"""

import logging
import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import msgspec
import numpy as np

from ounce_edge.pipeline.clocks import Clocks
from ounce_edge.pipeline.reports import GroupReport, Report
from ounce_edge.pipeline.trails import Trail
from ounce_edge.recommender.arrays import Items
from ounce_edge.telemetry.trace_choice import TraceChoice
from ounce_edge.telemetry.trace_context import context_of
from ounce_edge.telemetry.trace_facts import (
    CallFacts,
    GroupFacts,
    LetterFacts,
    MessageFacts,
    Span,
    Traced,
    TracedGroup,
)
from ounce_edge.wire.batch import Rejected, take
from ounce_edge.wire.requests.request_head import RequestHead

logger = logging.getLogger(__name__)

_MOST_CHARS = 200
"""Of ids, keys and texts that come from outside."""
_USUAL_BYTES = 55
"""Of a `traceparent` of version 00."""
_ODD = frozenset({b"1", b"3", b"5", b"7", b"9", b"b", b"d", b"f"})


class Sender(Protocol):
    """Takes what is traced; never waits, never raises."""

    def send(self, traced: Traced, n: int) -> None:
        """Make spans of it and send them, now or later or never; `n` messages."""

    def count(self, outcome: str, n: int) -> None:
        """So many messages are not traced, and why."""

    def close(self) -> None:
        """Send what waits, as far as a short time permits."""


class Tracing:
    """Picks what is traced of a worker's reports; on any thread, one at a time.

    Args:
        choice: picks.
        sender: takes what was picked.
        exemplify: is told task, latency in milliseconds and trace id of each answer that is traced.
        clocks: those of the pipelines.
    """

    def __init__(
        self,
        choice: TraceChoice,
        sender: Sender,
        exemplify: Callable[[str, float, str], None] = lambda task, latency_ms, trace_id: None,
        clocks: Clocks | None = None,
    ) -> None:
        self._exemplify = exemplify
        self._choice = choice
        self._sender = sender
        self._clocks = clocks or Clocks()
        self._is_broken = False

    def observe(self, report: Report) -> None:
        """Some requests are answered, and the broker has it. Never raises: a fault here ends
        tracing, and nothing else."""
        if self._is_broken:
            return
        try:
            self._observe(report)
        except Exception:
            logger.exception("no more traces are made: this is a fault of the tracing")
            self._is_broken = True

    def close(self) -> None:
        """Send what waits, as far as a short time permits."""
        self._sender.close()

    def _observe(self, report: Report) -> None:
        if not report.groups and not report.letters:
            return
        now_s = self._clocks.steady()
        to_wall_s = self._clocks.wall() - now_s
        for group in report.groups:
            if group.trail is not None:
                self._observe_group(report.task, group, group.trail, (now_s, to_wall_s))
        if report.letters:
            took = report.began_at_s, now_s
            self._observe_letters(report.task, report.letters, took, to_wall_s)

    def _observe_group(
        self, task: str, group: GroupReport, trail: Trail, now: tuple[float, float]
    ) -> None:
        batch, items = trail.job.taken.batch, trail.answered.items
        sampled = self._choice.draw(group.n)
        if not batch.all_bare:
            heads = take(batch.heads, items)
            in_a_trace = [i for i, head in enumerate(heads) if _is_in_a_trace(head)]
            if in_a_trace:
                sampled = [i for i in sampled if not _is_in_a_trace(heads[i])]
                sampled += [i for i in in_a_trace if _is_sampled(heads[i])]
        notable = list[int]()
        if group.deadline_misses or group.floor_misses or group.refused:
            is_missed = (group.latency_ms > batch.max_latency_ms[items]) | (
                batch.min_accuracy[items] > trail.accuracy_low
            )
            notable = sorted({*np.flatnonzero(is_missed).tolist(), *_refused(group, trail)})
        if not sampled and not notable:
            return
        kept, n_over = self._choice.limit(sampled, notable)
        if n_over:
            self._sender.count("limited", n_over)
        if not kept:
            return
        parts = zip(kept, _decoded(trail, items[kept]), strict=True)
        messages = [_message_facts(group, trail, i, decoded) for i, decoded in parts]
        for message in messages:
            self._exemplify(task, message.latency_ms, f"{message.trace_id:032x}")
        self._sender.send(TracedGroup(_group_facts(task, group, trail, now), messages), len(kept))

    def _observe_letters(
        self, task: str, letters: Sequence[Rejected], took: Span, to_wall_s: float
    ) -> None:
        kept, n_over = self._choice.limit([], [*range(len(letters))])
        if n_over:
            self._sender.count("limited", n_over)
        for i in kept:
            record, error = letters[i]
            facts = LetterFacts(
                task=task,
                context=context_of(None, record.headers()),
                partition=record.partition() or 0,
                offset=record.offset() or 0,
                reason=error.reason,
                text=error.text[:_MOST_CHARS],
                took=took,
                to_wall_s=to_wall_s,
            )
            self._sender.send(facts, 1)


def _is_in_a_trace(head: RequestHead) -> bool:
    return head.traceparent is not None or bool(head.trace)


def _is_sampled(head: RequestHead) -> bool:
    """Whether a sender keeps its trace. The usual header is read by its last digit: to parse all
    headers of those that don't would cost more than all else here."""
    given = head.traceparent
    if given is not None and len(given) == _USUAL_BYTES:
        return given[-1:] in _ODD
    context = context_of(given, head.trace)
    return context is not None and context.is_sampled


def _refused(group: GroupReport, trail: Trail) -> Sequence[int]:
    """Places of answers that the broker refused. Where messages have several rows, its answers are
    not one for each place: they are told apart by their dead letters alone."""
    return group.refused if trail.job.taken.batch.rows is None else ()


def _message_facts(group: GroupReport, trail: Trail, i: int, decoded: Span) -> MessageFacts:
    """Facts of the message that is the i-th of its group's answers."""
    batch, item = trail.job.taken.batch, int(trail.answered.items[i])
    record, head, key = batch.records[item], batch.heads[item], batch.keys[item] or b""
    id_ = msgspec.json.decode(b"".join(column[item] for column in batch.json_ids))
    latency_ms, floor = float(group.latency_ms[i]), float(batch.min_accuracy[item])
    deadline_ms = float(batch.max_latency_ms[item])
    context = context_of(head.traceparent, head.trace)
    return MessageFacts(
        context=context,
        trace_id=context.trace_id if context else random.getrandbits(128) or 1,
        partition=record.partition() or 0,
        offset=record.offset() or 0,
        id=str(id_)[:_MOST_CHARS],
        key=key[:_MOST_CHARS].decode(errors="replace"),
        decoded=decoded,
        latency_ms=latency_ms,
        max_latency_ms=deadline_ms,
        min_accuracy=floor,
        deadline_met=latency_ms <= deadline_ms,
        floor_met=trail.accuracy_low >= floor,
        is_refused=i in _refused(group, trail),
    )


def _decoded(trail: Trail, items: Items) -> Iterator[Span]:
    """When each of some items (ascending) of a group's batch was decoded."""
    sources, start = iter(trail.job.taken.sources), 0
    part, inside = next(sources)
    for item in items.tolist():
        while item >= start + len(inside):
            start += len(inside)
            part, inside = next(sources)
        yield part.poll.decoded_s


def _group_facts(
    task: str, group: GroupReport, trail: Trail, now: tuple[float, float]
) -> GroupFacts:
    models = trail.job.edition.plans.models
    return GroupFacts(
        task=task,
        plan=group.plan,
        model=group.model,
        reason=group.choice,
        policy_version=group.policy_version,
        n=len(trail.job.taken.batch),
        chosen=trail.job.chosen_s,
        calls=[
            CallFacts(
                models[call.model].name,
                call.n,
                (call.ended_at_s - call.run_ms / 1e3, call.ended_at_s),
            )
            for call in trail.outcome.calls
            if call.step < trail.answered.n_steps
        ],
        encoded_at_s=trail.encoded_at_s,
        confirmed_at_s=now[0],
        to_wall_s=now[1],
    )


def make_choice(share: float, per_s: float) -> TraceChoice:
    """The choice of a worker."""
    return TraceChoice(share, per_s, time.monotonic, random.Random())
