"""Requests at a steady rate."""

import threading
from unittest.mock import Mock

from benchmarks.worker.steady_sender import send_steadily


def test_requests_are_numbered_until_it_is_to_stop_and_all_are_flushed() -> None:
    producer, stopping, sent = Mock(), threading.Event(), list[int]()

    def send(i: int) -> None:
        producer.flush.assert_not_called()
        sent.append(i)
        if i == 20:
            stopping.set()

    send_steadily(producer, 2000, stopping, send)
    assert sent == [*range(len(sent))]
    assert len(sent) > 20
    producer.poll.assert_called_with(0)
    producer.flush.assert_called_once_with(30)
