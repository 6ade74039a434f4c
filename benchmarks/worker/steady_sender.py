"""Requests at a steady rate, whatever becomes of them."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from confluent_kafka import Producer

from benchmarks.worker.backlog import PARTITIONS, TOPICS, event_headers

_STEP_S = 0.002
"""The sender looks this often at what is due; requests of one step leave together."""


def send_steadily(
    producer: Producer, rate: int, stopping: threading.Event, send: Callable[[int], None]
) -> None:
    """Send until it is to stop, then wait until the broker has all.

    Args:
        producer: takes the requests.
        rate: requests a second.
        stopping: set to stop.
        send: hands the request of a number to the producer; numbers count from 0.
    """
    began_s, n = time.perf_counter(), 0
    while not stopping.is_set():
        due = int((time.perf_counter() - began_s) * rate)
        for i in range(n, due):
            send(i)
        n = max(n, due)
        producer.poll(0)
        time.sleep(_STEP_S)
    producer.flush(30)


@contextmanager
def steady_sender(
    servers: str, bodies: Sequence[bytes], rate: int, has_headers: bool
) -> Iterator[None]:
    """Send requests of digits meanwhile.

    Args:
        servers: Kafka bootstrap servers.
        bodies: sent in turn.
        rate: requests a second.
        has_headers: CloudEvents' ones, with both targets.
    """
    producer, stopping = Producer({"bootstrap.servers": servers, "linger.ms": 2}), threading.Event()

    def send(i: int) -> None:
        producer.produce(
            TOPICS["requests"],
            bodies[i % len(bodies)],
            b"device-%d" % (i % 100),
            partition=i % PARTITIONS,
            headers=event_headers(i) if has_headers else None,
        )

    thread = threading.Thread(target=send_steadily, args=(producer, rate, stopping, send))
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()
