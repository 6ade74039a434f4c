"""What Kafka has of a store, asked of a client that a test plays."""

from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, TopicPartition
from ounce_edge.gateway import store_group as room
from ounce_edge.gateway.store_group import StoreGroup
from ounce_schemas.errors import BrokerError


def test_what_kafka_does_not_say_is_not_taken_for_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Asked:
        def __init__(self, _: Any) -> None:
            self.places: list[TopicPartition] = []

        def committed(self, places: list[TopicPartition], _: float) -> list[Any]:
            codes = (KafkaError.UNKNOWN_TOPIC_OR_PART, None)
            return [told(at, code) for at, code in zip(places, codes, strict=True)]

    def told(at: TopicPartition, code: int | None) -> Any:
        error = None if code is None else KafkaError(code)
        return SimpleNamespace(topic=at.topic, offset=7 if code is None else -1001, error=error)

    monkeypatch.setattr(room, "Consumer", Asked)
    group = StoreGroup({}, "s", ["gone", "t"])
    assert group.committed() == 7
    monkeypatch.setattr(
        Asked,
        "committed",
        lambda _, places, __: [told(at, KafkaError.TOPIC_AUTHORIZATION_FAILED) for at in places],
    )
    with pytest.raises(BrokerError, match=r"gone: Broker: Topic authorization failed"):
        group.committed()
