"""One task's devices on Kafka: what they publish, and what becomes of it."""

import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, cast

from confluent_kafka import KafkaError, Message, Producer
from ounce_schemas.dead_letter import (
    HEADER_OFFSET,
    HEADER_PARTITION,
    HEADER_REASON,
    HEADER_TOPIC,
)
from ounce_schemas.request import HEADER_ID
from ounce_schemas.topics import dead_letters_topic, predictions_topic, requests_topic

from ounce_services.devices.answer_forms import read_prediction
from ounce_services.devices.fleet import FleetShape, OutgoingRequest, draw_requests
from ounce_services.devices.labels import LabelSender
from ounce_services.devices.latencies import quantile_ms
from ounce_services.devices.ledger import Ledger, Sent
from ounce_services.devices.pacing import Pace
from ounce_services.devices.report import TaskReport
from ounce_services.devices.samples import Samples

_RECENT_REPORTS = 6  # recent latencies: of the last three seconds, at two reports a second
_MOST_PER_TICK = 5000  # after a stall, catch up without starving the reading of answers


class _State(NamedTuple):
    """What the next reports are compared with."""

    elapsed_s: float
    sent: int
    answered: int
    latency_counts: list[int]


class TaskFleet:
    """One task's devices: what they send, and the ledger of what came back.

    Args:
        samples: inputs and their true answers.
        shape: devices, body formats and targets.
        pace: when requests are due.
        labels: publishes the truth about some answers.
        seed: of the requests that are drawn.
        run: makes ids unique across runs.
    """

    def __init__(
        self,
        samples: Samples,
        shape: FleetShape,
        pace: Pace,
        labels: LabelSender,
        *,
        seed: int,
        run: str,
    ) -> None:
        self._spec, self.task = samples.spec, samples.spec.name
        self.pace = pace
        self._labels = labels
        self.ledger = Ledger(samples, self._labels.plan)
        self._requests = draw_requests(samples, shape, seed=seed, run=run)
        self._topic = requests_topic(self.task)
        self._unreadable = 0
        self._history: deque[_State] = deque(
            [_State(0.0, 0, 0, [0] * len(self.ledger.tallies.latencies.counts))],
            maxlen=_RECENT_REPORTS,
        )

    @property
    def answer_topics(self) -> tuple[str, str]:
        """Where answers and dead letters come back."""
        return predictions_topic(self.task), dead_letters_topic(self.task)

    @property
    def waiting(self) -> int:
        """Requests without an answer, and labels that are still to be published."""
        return self.ledger.waiting + self._labels.waiting

    def publish_due_labels(self, producer: Producer) -> None:
        """Publish the labels that should have been published by now."""
        self._labels.publish_due(producer, time.monotonic())

    def publish_due(self, producer: Producer, elapsed_s: float) -> None:
        """Publish the requests that should have been published by now."""
        for _ in range(min(self.pace.due(elapsed_s) - self.ledger.sent, _MOST_PER_TICK)):
            request = next(self._requests)
            sent = Sent(time.monotonic(), request.item, request.key)
            self.ledger.record_sent(request.id, sent)
            report = partial(self._delivered, request.id, sent)
            try:
                self._produce(producer, request, report)
            except BufferError:  # librdkafka's queue is full: let it deliver, then try once more
                producer.poll(0.1)
                try:
                    self._produce(producer, request, report)
                except BufferError:
                    self.ledger.record_undelivered(request.id)

    def _produce(
        self, producer: Producer, request: OutgoingRequest, report: Callable[..., None]
    ) -> None:
        producer.produce(
            self._topic,
            value=request.value,
            key=request.key,
            headers=list(request.headers),
            on_delivery=report,
        )

    def receive(self, message: Message, at_s: float) -> None:
        """Book a prediction or a dead letter."""
        given = cast("dict[str, bytes | None]", dict(message.headers() or ()))
        if message.topic() == dead_letters_topic(self.task):
            headers = {
                name: (value or b"").decode(errors="replace") for name, value in given.items()
            }
            if headers.get(HEADER_TOPIC) != self._topic:  # the mark of a replay, or a label
                return
            id = headers.get(HEADER_ID) or "-".join(
                headers.get(name, "") for name in (HEADER_TOPIC, HEADER_PARTITION, HEADER_OFFSET)
            )
            self.ledger.record_dead_letter(id, headers.get(HEADER_REASON, ""))
            return
        try:
            prediction = read_prediction(message.value() or b"", given, self._spec)
        except ValueError:
            self._unreadable += 1
        else:
            self.ledger.record_answer(prediction, at_s)

    def report(self, elapsed_s: float) -> TaskReport:
        """The state now. Call it at an even pace: rates are since the last call."""
        ledger, tallies = self.ledger, self.ledger.tallies
        before, earliest = self._history[-1], self._history[0]
        now = _State(elapsed_s, ledger.sent, ledger.answered, tallies.latencies.counts.copy())
        self._history.append(now)
        step_s = max(elapsed_s - before.elapsed_s, 1e-9)
        recent = [
            count - then
            for count, then in zip(now.latency_counts, earliest.latency_counts, strict=True)
        ]
        return TaskReport(
            sent=ledger.sent,
            undelivered=ledger.undelivered,
            unreadable=self._unreadable,
            answered=ledger.answered,
            waiting=ledger.waiting,
            repeated=ledger.repeated,
            dead_letters=dict(ledger.dead_letters),
            fallbacks=tallies.fallbacks,
            sent_per_s=(now.sent - before.sent) / step_s,
            answered_per_s=(now.answered - before.answered) / step_s,
            recent_p50_ms=quantile_ms(recent, 0.5),
            recent_p99_ms=quantile_ms(recent, 0.99),
            p50_ms=tallies.quantile_ms(0.5),
            p99_ms=tallies.quantile_ms(0.99),
            accuracy=tallies.accuracy.report(),
            models=tallies.models(),
            floors=tallies.floors(),
            deadlines=tallies.deadlines(),
            spent_ms=tallies.spent_ms,
            always_best_ms=tallies.always_best_ms,
            labels=self._labels.sent,
        )

    def _delivered(
        self, id: str | None, sent: Sent, error: KafkaError | None, message: Message
    ) -> None:
        if error is not None:
            self.ledger.record_undelivered(id)
        elif id is None:
            topic, partition, offset = message.topic(), message.partition(), message.offset()
            self.ledger.record_position(f"{topic}-{partition}-{offset}", sent)
