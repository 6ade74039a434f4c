"""Labels that a fleet publishes."""

from dataclasses import replace
from typing import Any, cast

import msgspec
import numpy as np
from confluent_kafka import KafkaError, Producer
from ounce_schemas.label import Label
from ounce_schemas.task import TaskSpec
from ounce_services.devices.labels import LabelSender
from ounce_services.devices.ledger import Sent
from ounce_services.devices.samples import Samples


class FakeProducer:
    """Takes `room` records, and reports on them when it is told to."""

    def __init__(self, room: int = 1000) -> None:
        self.room = room
        self.records: list[tuple[str, Label, bytes]] = []
        self._reports: list[Any] = []

    def produce(self, topic: str, value: bytes, key: bytes, on_delivery: Any) -> None:
        if len(self._reports) >= self.room:
            raise BufferError
        self.records.append((topic, msgspec.json.decode(value, type=Label), key))
        self._reports.append(on_delivery)

    def report(self, error: KafkaError | None = None) -> None:
        for on_delivery in self._reports:
            on_delivery(error, None)
        self._reports.clear()


def publish(labels: LabelSender, producer: FakeProducer, now_s: float) -> None:
    labels.publish_due(cast(Producer, producer), now_s)


def test_a_label_holds_the_truth_and_comes_when_it_is_due(samples: Samples) -> None:
    labels, producer = LabelSender(samples, 1.0, 5.0, seed=0), FakeProducer()
    labels.plan("r-0", Sent(9.0, 3, b"device-1"), 10.0)
    labels.plan("r-1", Sent(9.0, 4, b"device-2"), 11.0)
    publish(labels, producer, 14.9)
    assert (producer.records, labels.waiting) == ([], 2)
    publish(labels, producer, 15.0)
    truth = samples.spec.labels[int(samples.targets[3])]
    assert producer.records == [("ounce.toy.labels", Label("r-0", label=truth), b"device-1")]
    assert (labels.sent, labels.waiting) == (0, 2)
    producer.report()
    assert (labels.sent, labels.waiting) == (1, 1)


def test_what_kafka_does_not_take_is_not_counted(samples: Samples) -> None:
    labels, producer = LabelSender(samples, 1.0, 0.0, seed=0), FakeProducer(room=2)
    for i in range(5):
        labels.plan(f"r-{i}", Sent(0, i), 0.0)
    publish(labels, producer, 1.0)
    producer.report(KafkaError(KafkaError._MSG_TIMED_OUT))
    assert (labels.sent, labels.waiting) == (0, 3)
    for _ in range(2):
        publish(labels, producer, 1.0)
        producer.report()
    assert (labels.sent, labels.waiting) == (3, 0)
    assert [label.id for _, label, _ in producer.records] == [f"r-{i}" for i in range(5)]


def test_a_share_is_drawn(samples: Samples) -> None:
    for share in (0.0, 0.3, 1.0):
        labels = LabelSender(samples, share, 1.0, seed=0)
        for i in range(2000):
            labels.plan(f"r-{i}", Sent(0, 0), 0.0)
        assert abs(labels.waiting / 2000 - share) < 0.05 * (0 < share < 1) + 1e-9


def test_regression_labels_are_values(samples: Samples) -> None:
    spec = TaskSpec(
        name="toy",
        kind="regression",
        description="a number",
        inputs=samples.spec.inputs,
        tolerance=1.0,
        interval_coverage=0.9,
    )
    numbers = replace(samples, spec=spec, targets=np.array([1.5, 2.5], dtype=np.float32))
    labels, producer = LabelSender(numbers, 1.0, 0.0, seed=0), FakeProducer()
    labels.plan("r-0", Sent(0, 1), 0.0)
    publish(labels, producer, 0.0)
    assert producer.records[0][1] == Label("r-0", value=2.5)
