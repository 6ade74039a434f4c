"""A steady load on workers, and when each of its answers was read."""

import threading
import time
from collections import Counter
from collections.abc import Sequence

import msgspec
import numpy as np
from confluent_kafka import Consumer, Producer

from benchmarks.worker.backlog import TOPICS
from benchmarks.worker.steady_sender import send_steadily

Header = tuple[str, bytes]


class _Answer(msgspec.Struct):
    id: str


class Load:
    """Sends requests at a steady rate, and reads their answers as they are committed.

    Args:
        servers: Kafka bootstrap servers.
        values: bodies, sent in turn.
        rate: requests a second.
        headers: of every request, beside its id.
    """

    def __init__(
        self, servers: str, values: Sequence[bytes], rate: int, headers: Sequence[Header]
    ) -> None:
        self._values, self._headers = values, headers
        self._producer = Producer({"bootstrap.servers": servers, "linger.ms": 1})
        self._consumer = Consumer(
            {
                "bootstrap.servers": servers,
                "group.id": "bench-answers",
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "fetch.queue.backoff.ms": 2,
            }
        )
        self._consumer.subscribe([TOPICS["predictions"]])
        self.sent_s: list[float] = []
        """By id."""
        self.read_s: dict[int, float] = {}
        self.n_read = Counter[int]()
        self._stopping = threading.Event()
        sending = (self._producer, rate, self._stopping, self._send)
        self._threads = [
            threading.Thread(target=send_steadily, args=sending),
            threading.Thread(target=self._read),
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Send no more, and wait for the last answers."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        self._consumer.close()

    def p99_ms(self, since_s: float, until_s: float) -> float:
        """Of the requests sent in this time, until their answers are read; NaN where none was."""
        sent = [(i, at) for i, at in enumerate(self.sent_s) if since_s <= at < until_s]
        times = [self.read_s[i] - at for i, at in sent if i in self.read_s]
        return float(np.percentile(times, 99)) * 1e3 if times else float("nan")

    def _send(self, i: int) -> None:
        value = self._values[i % len(self._values)]
        own: dict[str, str | bytes | None] = {"ce_id": b"%d" % i, **dict(self._headers)}
        self.sent_s.append(time.perf_counter())
        self._producer.produce(TOPICS["requests"], value, b"%d" % (i % 100), headers=own)

    def _read(self) -> None:
        quiet_s = 0.0
        while not self._stopping.is_set() or (len(self.read_s) < len(self.sent_s) and quiet_s < 10):
            messages = self._consumer.consume(1000, 0.01)
            now_s = time.perf_counter()
            quiet_s = 0.0 if messages else quiet_s + 0.01
            for message in messages:
                if message.error() is None:
                    i = int(msgspec.json.decode(message.value() or b"", type=_Answer).id)
                    self.read_s.setdefault(i, now_s)
                    self.n_read[i] += 1
