"""The topic of releases, where no broker has it yet."""

from types import SimpleNamespace
from typing import Any

import pytest
from ounce_schemas.topics import models_topic
from ounce_services.cluster.admin import BROKERS_CHOICE
from ounce_services.registry import topic


def test_a_topic_that_a_broker_has_just_made_need_not_be_known_yet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[Any] = []
    asks_nothing = SimpleNamespace()  # a broker may not know the topic's settings yet
    cluster = SimpleNamespace(cluster_id="c", topics={})
    monkeypatch.setattr(topic, "first_contact", lambda *_: (asks_nothing, cluster))
    monkeypatch.setattr(topic, "create_topics", lambda *what, **how: made.append((what, how)))
    topic.ModelsTopic("127.0.0.1:1", 3.0, {"security.protocol": "SSL"})
    assert made == [
        (
            ("127.0.0.1:1", [models_topic()]),
            {
                "replication": BROKERS_CHOICE,
                "timeout_s": 3.0,
                "security": {"security.protocol": "SSL"},
            },
        )
    ]
