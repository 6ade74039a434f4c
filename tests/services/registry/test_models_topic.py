"""The topic of releases, where no broker has it yet."""

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from ounce_schemas.topics import MODELS_TOPIC
from ounce_services.registry import topic


class SlowBroker:
    """Makes topics, and does not know them yet when it is asked for their settings."""

    def __init__(self) -> None:
        self.made: list[Any] = []

    def create_topics(self, topics: list[Any]) -> dict[str, Future[None]]:
        self.made += topics
        done: Future[None] = Future()
        done.set_result(None)
        return {new.topic: done for new in topics}

    def describe_configs(self, resources: list[Any]) -> dict[Any, Future[None]]:
        failed: Future[None] = Future()
        failed.set_exception(KafkaException(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART)))
        return dict.fromkeys(resources, failed)


def test_a_topic_that_a_broker_has_just_made_need_not_be_known_yet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broker = SlowBroker()
    cluster = SimpleNamespace(cluster_id="c", topics={})
    monkeypatch.setattr(topic, "first_contact", lambda *_: (broker, cluster))
    topic.ModelsTopic("127.0.0.1:1", 3.0)
    assert [(new.topic, new.config) for new in broker.made] == [
        (MODELS_TOPIC, {"cleanup.policy": "compact"})
    ]
