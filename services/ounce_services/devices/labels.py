"""Publishing the truth about some answers, a while after them."""

import random
from collections import deque
from typing import NamedTuple

import msgspec
from confluent_kafka import KafkaError, Message, Producer
from ounce_schemas.label import Label
from ounce_schemas.topics import labels_topic

from ounce_services.devices.ledger import Sent
from ounce_services.devices.samples import Samples

_encode = msgspec.json.Encoder().encode


class _Due(NamedTuple):
    at_s: float
    id: str
    sent: Sent


class LabelSender:
    """Publishes labels of one task.

    Args:
        samples: knows the truth.
        share: of the answers that get a label, in [0, 1].
        delay_s: from reading an answer to publishing its label.
        seed: of the draw which answers get one.
    """

    def __init__(self, samples: Samples, share: float, delay_s: float, *, seed: int) -> None:
        self.sent = 0
        """Labels that Kafka took."""
        self._samples = samples
        self._topic = labels_topic(samples.spec.name)
        self._share = share
        self._delay_s = delay_s
        self._draw = random.Random(seed).random
        self._due: deque[_Due] = deque()
        self._in_flight = 0

    @property
    def waiting(self) -> int:
        """Labels that are not due yet, or that Kafka has not yet taken."""
        return len(self._due) + self._in_flight

    def plan(self, id: str, sent: Sent, at_s: float) -> None:
        """The first answer to a request was read at `at_s`: it may get a label."""
        if self._draw() < self._share:
            self._due.append(_Due(at_s + self._delay_s, id, sent))

    def publish_due(self, producer: Producer, now_s: float) -> None:
        """Publish what is due; what does not fit into the producer's queue stays due."""
        while self._due and self._due[0].at_s <= now_s:
            _, id, sent = self._due[0]
            try:
                producer.produce(
                    self._topic,
                    value=_encode(self._label(id, sent.item)),
                    key=sent.key,
                    on_delivery=self._delivered,
                )
            except BufferError:
                return
            self._due.popleft()
            self._in_flight += 1

    def _label(self, id: str, item: int) -> Label:
        spec, truth = self._samples.spec, self._samples.targets[item]
        if spec.classifies:
            return Label(id, label=spec.labels[int(truth)])
        return Label(id, value=float(truth) + (spec.offset or 0.0))

    def _delivered(self, error: KafkaError | None, _: Message) -> None:
        self._in_flight -= 1
        self.sent += error is None
