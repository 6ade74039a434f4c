"""Requests of digits at a steady rate, whatever becomes of them."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from confluent_kafka import Producer

from benchmarks.worker.backlog import PARTITIONS, TOPICS, event_headers

_STEP_S = 0.002
"""The sender looks this often at what is due."""


@contextmanager
def steady_sender(
    servers: str, bodies: Sequence[bytes], rate: int, has_headers: bool
) -> Iterator[None]:
    """Send meanwhile.

    Args:
        servers: Kafka bootstrap servers.
        bodies: sent in turn.
        rate: requests a second.
        has_headers: CloudEvents' ones, with both targets.
    """
    stopping = threading.Event()
    thread = threading.Thread(target=_send, args=(servers, bodies, rate, has_headers, stopping))
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


def _send(
    servers: str, bodies: Sequence[bytes], rate: int, has_headers: bool, stopping: threading.Event
) -> None:
    producer = Producer({"bootstrap.servers": servers, "linger.ms": 2})
    began_s, n = time.perf_counter(), 0
    while not stopping.is_set():
        due = int((time.perf_counter() - began_s) * rate)
        for i in range(n, due):
            producer.produce(
                TOPICS["requests"],
                bodies[i % len(bodies)],
                b"device-%d" % (i % 100),
                partition=i % PARTITIONS,
                headers=event_headers(i) if has_headers else None,
            )
        n = max(n, due)
        producer.poll(0)
        time.sleep(_STEP_S)
    producer.flush(30)
