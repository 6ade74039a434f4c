"""Asking a Kafka that answers late."""

from threading import Event

import pytest
from confluent_kafka import KafkaError, KafkaException
from ounce_edge.gateway.patience import ask_patiently


class Asked:
    """Answers once all errors are raised."""

    def __init__(self, *codes: int) -> None:
        self.errors = [KafkaException(KafkaError(code)) for code in codes]

    def __call__(self, _: float) -> str:
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


def test_an_answer_that_is_late_is_waited_for() -> None:
    assert ask_patiently(Asked(KafkaError._TIMED_OUT, KafkaError._TIMED_OUT), Event()) == "answer"


def test_a_kafka_that_is_away_is_told_at_once() -> None:
    asked = Asked(KafkaError._TRANSPORT)
    with pytest.raises(KafkaException, match="transport"):
        ask_patiently(asked, Event())


def test_a_gateway_that_stops_waits_no_longer() -> None:
    is_closing = Event()
    is_closing.set()
    with pytest.raises(KafkaException, match="Timed out"):
        ask_patiently(Asked(KafkaError._TIMED_OUT), is_closing)
