"""Reading spans of partitions, with a group that is never joined."""

from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError
from ounce_edge.broker.reading.answer_search import Span, _Reading
from ounce_schemas.errors import BrokerError


class Consumer:
    """Gives these messages at once."""

    def __init__(self, *messages: Any) -> None:
        self._messages = list(messages)

    def assign(self, places: object) -> None:
        pass

    def consume(self, n: int, timeout: float) -> list[Any]:
        taken, self._messages = self._messages[:n], self._messages[n:]
        return taken


def message(offset: int, code: int | None = None) -> Any:
    error = None if code is None else KafkaError(code)
    return SimpleNamespace(
        topic=lambda: "t", partition=lambda: 0, offset=lambda: offset, error=lambda: error
    )


def read(*messages: Any) -> list[int | None]:
    consumer: Any = Consumer(*messages)
    reading = _Reading(consumer)
    found = [m.offset() for few in reading.read({("t", 0): Span(4, 5)}, 1e12) for m in few]
    assert reading.is_done
    return found


def test_a_group_that_is_never_joined_may_be_refused() -> None:
    assert read(message(-1001, KafkaError.GROUP_AUTHORIZATION_FAILED), message(4)) == [4]


def test_a_topic_that_is_refused_is_told() -> None:
    with pytest.raises(BrokerError, match="grant this user Read on it"):
        read(message(-1001, KafkaError.TOPIC_AUTHORIZATION_FAILED))
