"""Asking Kafka on a line that is slow or far."""

import time
from collections.abc import Callable
from threading import Event
from typing import TypeVar

from confluent_kafka import KafkaError, KafkaException

T = TypeVar("T")
STEP_S = 1.0
"""So long a gateway that stops may wait for a Kafka that is away."""
_LONGEST_S = 30.0
"""To connect and be answered."""


def ask_patiently(ask: Callable[[float], T], is_closing: Event) -> T:
    """Ask again where no answer comes, over the same connection.

    Args:
        ask: asks Kafka, and waits for so many seconds.
        is_closing: ends it early.

    Raises:
        KafkaException: as of `ask`, the last time.
    """
    until_s = time.monotonic() + _LONGEST_S
    while True:
        try:
            return ask(STEP_S)
        except KafkaException as e:
            is_slow = e.args[0].code() == KafkaError._TIMED_OUT
            if not is_slow or is_closing.is_set() or time.monotonic() > until_s:
                raise
