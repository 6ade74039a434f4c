"""Devices of a soak: they send evenly, and know by the topics' ends how many have answers."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from ounce_schemas.topics import predictions_topic, requests_topic
from ounce_services.devices.fleet import FleetShape, draw_requests
from ounce_services.devices.samples import read_samples
from ounce_services.devices.targets import read_default_mix

TASK = "digits"
PARTITIONS = 4
_TICK_S = 0.02
_LEADER_S = 30.0
_NO_LEADER = (KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE)


class SoakDevices:
    """Sends inputs, and knows by the topics' ends how many have answers."""

    def __init__(self, servers: str, models: Path) -> None:
        shape = FleetShape(50, json_share=0.2, traced_share=0.0, mix=read_default_mix(models, TASK))
        self._requests = draw_requests(read_samples(models, TASK), shape, seed=1, run="soak")
        self._producer = Producer(
            {
                "bootstrap.servers": servers,
                "enable.idempotence": True,
                "linger.ms": 5,
                "compression.type": "lz4",
                "queue.buffering.max.messages": 200_000,
                "log_level": 0,
            }
        )
        self._consumer = Consumer(
            {"bootstrap.servers": servers, "group.id": "soak", "log_level": 0}
        )
        self.sent = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._producer.purge()
        self._producer.flush(1.0)
        self._consumer.close()

    @property
    def answered(self) -> int:
        """Predictions up to now; a transaction's markers count, too."""
        return sum(self._end(p) for p in range(PARTITIONS))

    def _end(self, partition: int) -> int:
        """End of a partition of the predictions. A new one has no leader for a moment."""
        until_s = time.monotonic() + _LEADER_S
        while True:
            try:
                at = TopicPartition(predictions_topic(TASK), partition)
                return self._consumer.get_watermark_offsets(at, 10)[1]
            except KafkaException as e:
                if e.args[0].code() not in _NO_LEADER or time.monotonic() > until_s:
                    raise
                time.sleep(_TICK_S)

    def overload(self, seconds: float) -> float:
        """Send as much as possible for so long; answers per second in the second half."""
        start_s = time.monotonic()
        half: tuple[float, int] | None = None
        while (now_s := time.monotonic()) < start_s + seconds:
            self._send(500)
            if half is None and now_s > start_s + seconds / 2:
                half = now_s, self.answered
            while len(self._producer) > 20_000:
                self._producer.poll(0.05)
        assert half is not None
        return (self.answered - half[1]) / (time.monotonic() - half[0])

    def send(self, rate: float, seconds: float, every_s: float) -> Iterator[float]:
        """Send evenly for so long, yielding every so often with the seconds since the start."""
        start_s, before = time.monotonic(), self.sent
        look_s = 0.0
        while (elapsed_s := time.monotonic() - start_s) < seconds:
            self._send(max(int(elapsed_s * rate) - (self.sent - before), 0))
            self._producer.poll(_TICK_S)
            if elapsed_s >= look_s:
                look_s += every_s
                yield elapsed_s

    def wait_until_answered(self, timeout_s: float) -> bool:
        """Whether all that was sent was answered in time."""
        deadline = time.monotonic() + timeout_s
        self._producer.flush(timeout_s)
        while self.answered < self.sent and time.monotonic() < deadline:
            time.sleep(0.2)
        return self.answered >= self.sent

    def _send(self, n: int) -> None:
        for _ in range(n):
            request = next(self._requests)
            while True:
                try:
                    self._producer.produce(
                        requests_topic(TASK),
                        request.value,
                        request.key,
                        headers=list(request.headers),
                    )
                    break
                except BufferError:
                    self._producer.poll(0.1)
            self.sent += 1
