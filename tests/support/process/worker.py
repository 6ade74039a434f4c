"""A running `ounce worker`, and a device that talks to it."""

import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from confluent_kafka import Consumer, Message, Producer
from ounce_schemas.prediction import Prediction
from ounce_schemas.topics import dead_letters_topic, labels_topic, predictions_topic, requests_topic

from tests.support.process.child import Child, free_port
from tests.support.process.served import Served

OUNCE = Path(sys.executable).with_name("ounce")
_TIMEOUT_S = 120.0


class Worker(Served):
    """A worker process; a context manager that waits until it is ready and stops it.

    Args:
        servers: Kafka bootstrap servers.
        models: folder of the ladders.
        log: file for its output.
        options: further options of `ounce worker`.
        env: further variables of its environment.
        ounce: the command, of whichever environment.
        cpus: processors to run on, as `taskset -c` reads them. It starts there: a running process
            can't be moved safely, as its threads come and go meanwhile.
        task: that it serves.
    """

    def __init__(
        self,
        servers: str,
        models: Path,
        log: Path,
        options: Sequence[str] = (),
        *,
        env: Mapping[str, str] | None = None,
        ounce: Path = OUNCE,
        cpus: str | None = None,
        task: str = "digits",
    ) -> None:
        port = free_port()
        child = Child(
            [
                ounce,
                "worker",
                f"--task={task}",
                f"--kafka={servers}",
                f"--models={models}",
                f"--metrics-port={port}",
                *options,
            ],
            log=log,
            cpus=cpus,
            env={**os.environ, **(env or {})},
        )
        super().__init__(child, port)

    def events_of(self, kind: str) -> list[str]:
        """Subjects and texts of the events of a kind that its log tells of."""
        return re.findall(rf"event={kind} task=digits subject=(.*)", self.child.log.read_text())


class Device:
    """Sends records to a task and reads everything that comes back, from the topics' beginning."""

    def __init__(self, servers: str, task: str = "digits") -> None:
        self._task = task
        self._requests = requests_topic(task)
        # Idempotence keeps the order where a topic is so new that the first batches are sent again.
        self._producer = Producer(
            {"bootstrap.servers": servers, "linger.ms": 0, "enable.idempotence": True}
        )
        self._consumer = Consumer(
            {
                "bootstrap.servers": servers,
                "group.id": f"device-{time.time_ns()}",
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
            }
        )
        self._answers = [predictions_topic(task), dead_letters_topic(task)]
        self._subscribed = False
        self.predictions: list[Message] = []
        self.dead_letters: list[Message] = []

    def send(
        self,
        value: bytes | None,
        headers: Any = None,
        key: bytes | None = b"d",
        timestamp_ms: int = 0,
    ) -> None:
        """Queue one record; `timestamp_ms` is what the device's clock says, 0 the right time."""
        self._producer.produce(self._requests, value, key, headers=headers, timestamp=timestamp_ms)

    def label(self, text: str, key: bytes | None = None) -> None:
        """Publish a label, a JSON document."""
        self._producer.produce(labels_topic(self._task), text, key)
        self.flush()

    def flush(self) -> None:
        """Return once the broker has all that was sent."""
        assert self._producer.flush(_TIMEOUT_S) == 0

    def read(self, n: int) -> None:
        """Read until `n` records in all came back.

        Raises:
            RuntimeError: they did not.
        """
        if not self._subscribed:  # only now: the topics may be made after this device
            self._consumer.subscribe(self._answers)
            self._subscribed = True
        deadline = time.monotonic() + _TIMEOUT_S
        while len(self.predictions) + len(self.dead_letters) < n:
            if time.monotonic() > deadline:
                found = len(self.predictions), len(self.dead_letters)
                raise RuntimeError(f"expected {n} records, got {found} answers and dead letters")
            self.read_more()

    def read_more(self) -> None:
        """Read what comes within a short while."""
        for message in self._consumer.consume(1000, 0.2):
            assert message.error() is None, message.error()
            is_prediction = str(message.topic()).endswith(".predictions")
            (self.predictions if is_prediction else self.dead_letters).append(message)

    def answers(self) -> list[Prediction]:
        """The predictions read so far."""
        return [msgspec.json.decode(m.value() or b"", type=Prediction) for m in self.predictions]

    def close(self) -> None:
        """Leave."""
        self._consumer.close()
