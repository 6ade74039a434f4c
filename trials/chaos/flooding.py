"""What floods share: who sends, and who watches the worker's memory."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from confluent_kafka import IsolationLevel, KafkaException, Producer
from ounce_schemas.topics import dead_letters_topic, predictions_topic, requests_topic
from ounce_services.devices.samples import read_samples

from benchmarks.process_figures import memory_kb
from tests.support.process.worker import Worker
from trials.chaos.reading import ends

TASK = "digits"
Headers = Sequence[tuple[str, bytes | None]]
BOUND_MB = 350.0
"""Over what a worker holds when it is ready. At most 64 MB of bodies wait, decoded once more as
tensors (64); 32 MB are fetched ahead, and a poll of as much may come on top of what waits (32); the
answers or dead letters of one batch are with the producer and of one more held back (2 * 32, and as
much as they take up in the client); 16,384 requests' own objects, about 2 kB each (32)."""
PARTITIONS = 4
_LARGE_BYTES = 1_000_000
PATIENCE_S = 300.0


class MemoryWatch:
    """The greatest resident memory of a process, looked at ten times a second."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.peak_mb = self.now_mb()

    def now_mb(self) -> float:
        """Resident memory now; 0 of a process that ended."""
        return memory_kb(self._pid) / 1024

    @contextmanager
    def running(self) -> Iterator[None]:
        """Look, in a thread, as long as the context lasts."""
        ended = threading.Event()
        self.peak_mb = self.now_mb()

        def look() -> None:
            while not ended.wait(0.1):
                self.peak_mb = max(self.peak_mb, self.now_mb())

        thread = threading.Thread(target=look)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


class Sender:
    """Sends requests as fast as Kafka takes them."""

    def __init__(self, servers: str, models: Path) -> None:
        samples = read_samples(models, TASK)
        self._good = [row.astype("<f4").tobytes() for row in samples.inputs["input"]]
        self._producer = Producer(
            {
                "bootstrap.servers": servers,
                "linger.ms": 5,
                "message.max.bytes": 2 * _LARGE_BYTES,
                "queue.buffering.max.kbytes": 65_536,
                "log_level": 0,  # the broker stops before it
            }
        )
        self.sent = 0

    def good(self, n: int, headers: Callable[[int], Headers] = lambda i: ()) -> None:
        """Inputs, with headers that may differ by their number among all that were sent."""
        self._send(n, lambda i: self._good[i % len(self._good)], headers)

    def poison(self, n: int) -> None:
        """Records that can't be served; one in a hundred is of a megabyte."""
        large = b"{" + b"x" * _LARGE_BYTES
        small = [b"{no json", b"", self._good[0][:-4], self._good[0] * 100]
        self._send(n, lambda i: large if i % 100 == 0 else small[i % len(small)], lambda i: ())

    def flush(self) -> None:
        """Return once Kafka has all of them."""
        self._producer.flush(PATIENCE_S)

    def _send(
        self, n: int, value: Callable[[int], bytes], headers: Callable[[int], Headers]
    ) -> None:
        for i in range(self.sent, self.sent + n):
            key = b"device-%d" % (i % 50)
            of_record: list[tuple[str, str | bytes | None]] = [*headers(i)]
            while True:
                try:
                    self._producer.produce(requests_topic(TASK), value(i), key, headers=of_record)
                    break
                except BufferError:
                    self._producer.poll(0.1)
        self.sent += n


def await_answers(servers: str, n: int, worker: Worker) -> int:
    """Return once there are `n` predictions and dead letters, or the worker ended, or patience did;
    how many there are."""
    deadline = time.monotonic() + PATIENCE_S
    answered = 0
    while answered < n and time.monotonic() < deadline and worker.child.running:
        time.sleep(0.2)
        with suppress(KafkaException):  # a broker that stalled is no leader for a moment
            answered = sum(
                sum(ends(servers, topic, PARTITIONS, IsolationLevel.READ_COMMITTED).values())
                for topic in (predictions_topic(TASK), dead_letters_topic(TASK))
            )
    return answered
