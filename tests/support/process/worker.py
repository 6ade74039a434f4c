"""A running `ounce worker`, and a device that talks to it."""

import os
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    Message,
    Producer,
    TopicPartition,
)
from ounce_schemas.prediction import Prediction
from ounce_schemas.topics import dead_letters_topic, labels_topic, predictions_topic, requests_topic

from tests.support.process.child import Child, free_port
from tests.support.process.served import Served

OUNCE = Path(sys.executable).with_name("ounce")
PATIENT = ("ce_maxlatencyms", b"60000")
"""Header of a request that no busy machine makes late."""
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
                "group.id": "devices",  # the client insists on one; it is never joined
                "auto.offset.reset": "earliest",
                "enable.partition.eof": True,
                # A fetch holds up partitions that it began without.
                "fetch.wait.max.ms": 100,
                "enable.auto.commit": False,
            }
        )
        self._answers = [predictions_topic(task), dead_letters_topic(task)]
        self._at: dict[tuple[str, int], int] = {}
        """Up to where each partition is read."""
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
        self._begin()
        self._read_until(
            lambda: len(self.predictions) + len(self.dead_letters) >= n, f"{n} records"
        )

    def read_more(self) -> None:
        """Read what is there, or the first that comes within a short while."""
        self._begin()
        for message in self._consumer.consume(1, 0.2) + self._consumer.consume(1000, 0):
            place, error = (str(message.topic()), message.partition() or 0), message.error()
            if error is not None:
                assert error.code() == KafkaError._PARTITION_EOF, error
                self._at[place] = message.offset() or 0
                continue
            self._at[place] = (message.offset() or 0) + 1
            is_prediction = place[0].endswith(".predictions")
            (self.predictions if is_prediction else self.dead_letters).append(message)

    def read_rest(self) -> None:
        """Read all that is there now, to the end of every partition.

        Raises:
            RuntimeError: it can't be read.
        """
        self._begin()
        ends = self._ends()
        self._read_until(lambda: all(self._at[place] >= ends[place] for place in ends), f"{ends}")

    def _ends(self) -> dict[tuple[str, int], int]:
        return {
            place: self._consumer.get_watermark_offsets(TopicPartition(*place), _TIMEOUT_S)[1]
            for place in self._at
        }

    def _begin(self) -> None:
        """Read from the first record on; only now, as the topics may be made after this device. A
        group would have to form first, which takes most of a second."""
        if self._at:
            return
        known = self._consumer.list_topics(timeout=_TIMEOUT_S).topics
        assert all(known[topic].partitions for topic in self._answers), known
        self._at = {(topic, p): 0 for topic in self._answers for p in known[topic].partitions}
        self._consumer.assign([TopicPartition(*place, OFFSET_BEGINNING) for place in self._at])

    def _read_until(self, is_read: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + _TIMEOUT_S
        while not is_read():
            if time.monotonic() > deadline:
                found = len(self.predictions), len(self.dead_letters)
                raise RuntimeError(
                    f"expected {what}, got {found} answers and dead letters; read up to {self._at} "
                    f"of {self._ends()}"
                )
            self.read_more()

    def answers(self) -> list[Prediction]:
        """The predictions read so far."""
        return [msgspec.json.decode(m.value() or b"", type=Prediction) for m in self.predictions]

    def close(self) -> None:
        """Leave."""
        self._consumer.close()
