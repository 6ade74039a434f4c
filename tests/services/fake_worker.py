"""A fake worker for unit tests: answers by the prediction contract without any model.

It knows the right answers (it is given the samples), and can be told to err: to answer wrongly,
twice, or not at all, or to dead-letter.
"""

import threading
from collections.abc import Callable
from typing import Self

import msgspec
import numpy as np
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from ounce_schemas.dead_letter import (
    HEADER_OFFSET,
    HEADER_PARTITION,
    HEADER_REASON,
    HEADER_TOPIC,
)
from ounce_schemas.prediction import Decision, NumberOutput, Prediction, TextOutput
from ounce_schemas.request import HEADER_ID, HEADER_MAX_LATENCY_MS, HEADER_MIN_ACCURACY, Request
from ounce_schemas.routing import Choice
from ounce_schemas.topics import dead_letters_topic, predictions_topic, requests_topic
from ounce_services.cluster.admin import describe_cluster
from ounce_services.devices.samples import Samples


def make_prediction(
    id: str,
    *,
    label: str = "0",
    model: str = "light",
    max_latency_ms: float = 100.0,
    min_accuracy: float = 0.9,
    expected_accuracy: float = 0.95,
    deadline_met: bool = True,
    floor_met: bool = True,
    cost_ms: float = 1.0,
    saved_ms: float = 9.0,
    task: str = "toy",
    reason: Choice = Choice.LIGHTEST_FEASIBLE,
) -> Prediction:
    """A prediction as a worker would make it."""
    decision = Decision(
        task=task,
        plan=model,
        reason=reason,
        policy_version="built-in",
        catalogue_version="1",
        max_latency_ms=max_latency_ms,
        min_accuracy=min_accuracy,
        expected_accuracy=expected_accuracy,
        latency_ms=1.0,
        deadline_met=deadline_met,
        floor_met=floor_met,
        cost_ms=cost_ms,
        saved_ms=saved_ms,
    )
    outputs: list[NumberOutput | TextOutput] = [
        TextOutput("label", [1], [label]),
        NumberOutput("confidence", [1], [0.9]),
    ]
    return Prediction(model, "abc", id, decision, outputs)


class FakeWorker:
    """Context manager: answers one task's requests on a thread.

    `fate` says by the running number of a request what becomes of it: `answer`, `wrong`, `twice`,
    `nothing` or `dead-letter`.
    """

    def __init__(self, kafka: str, samples: Samples, fate: Callable[[int], str]) -> None:
        self.task = samples.spec.name
        self.seen: list[Message] = []
        self._samples = samples
        self._fate = fate
        self._answers = {
            samples.inputs["input"][i].tobytes(): samples.spec.labels[int(t)]
            for i, t in enumerate(samples.targets)
        }
        self._stopping = threading.Event()
        self._producer = Producer({"bootstrap.servers": kafka, "linger.ms": 0})
        self._consumer = Consumer(
            {
                "bootstrap.servers": kafka,
                "group.id": "fake",
                "allow.auto.create.topics": False,
                "fetch.wait.max.ms": 10,
            }
        )
        topic = requests_topic(self.task)
        n_partitions = describe_cluster(kafka).partitions[topic]
        self._consumer.assign([TopicPartition(topic, i, 0) for i in range(n_partitions)])
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        self._producer.flush(60)
        self._consumer.close()
        self._producer.close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            message = self._consumer.poll(0.05)
            self._producer.poll(0)
            if message is not None and message.error() is None:
                self.seen.append(message)
                self._serve(message, self._fate(len(self.seen) - 1))

    def _serve(self, message: Message, fate: str) -> None:
        headers = dict(message.headers() or [])
        position = f"{message.topic()}-{message.partition()}-{message.offset()}"
        id = headers.get(HEADER_ID, position.encode()).decode()
        max_latency_ms = float(headers.get(HEADER_MAX_LATENCY_MS, 100))
        min_accuracy = float(headers.get(HEADER_MIN_ACCURACY, 0.9))
        value = message.value() or b""
        if value.startswith(b"{"):
            body = msgspec.json.decode(value, type=Request)
            if body.parameters is not None:
                max_latency_ms = body.parameters.max_latency_ms or max_latency_ms
                min_accuracy = body.parameters.min_accuracy or min_accuracy
            value = np.array(body.inputs[0].data, "<f4").tobytes()
        if fate == "dead-letter":
            self._dead_letter(message, headers)
        if fate in ("dead-letter", "nothing"):
            return
        label = self._answers[value] if fate != "wrong" else "nonsense"
        prediction = make_prediction(
            id,
            label=label,
            task=self.task,
            max_latency_ms=max_latency_ms,
            min_accuracy=min_accuracy,
        )
        for _ in range(2 if fate == "twice" else 1):
            self._producer.produce(
                predictions_topic(self.task), msgspec.json.encode(prediction), key=message.key()
            )

    def _dead_letter(self, message: Message, headers: dict[str, bytes]) -> None:
        added = {
            HEADER_REASON: "model-failed",
            HEADER_TOPIC: message.topic(),
            HEADER_PARTITION: str(message.partition()),
            HEADER_OFFSET: str(message.offset()),
        }
        self._producer.produce(
            dead_letters_topic(self.task),
            message.value(),
            headers=[*headers.items(), *((k, v.encode()) for k, v in added.items())],
        )
