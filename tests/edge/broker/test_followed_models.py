"""Which releases serve, as the topic says over all its partitions."""

import time

import pytest
from confluent_kafka import Producer
from ounce_edge.broker import followed_models
from ounce_edge.broker.followed_models import FollowedModels
from ounce_schemas.topics import models_topic

from tests.support.edge.stores import in_service

WAIT_S = 60.0


class Writer:
    """A topic of four partitions on librdkafka's mock cluster, which can't say how it is kept."""

    def __init__(self) -> None:
        self._cluster = Producer({"test.mock.num.brokers": 1, "log_level": 2})
        found = self._cluster.list_topics(timeout=60).brokers.values()
        self.servers = ",".join(f"{b.host}:{b.port}" for b in found)
        self._producer = Producer({"bootstrap.servers": self.servers, "linger.ms": 0})

    def write(self, **releases: str | bytes | None) -> None:
        """Releases by their digests, deletions, or junk."""
        for task, value in releases.items():
            partition = len(task) % 4  # by hand: keys of one length share one
            if isinstance(value, str):
                value = in_service(value, task=task).model_dump_json().encode()
            self._producer.produce(models_topic(), value, task, partition=partition)
        assert self._producer.flush(WAIT_S) == 0


@pytest.fixture
def writer(monkeypatch: pytest.MonkeyPatch) -> Writer:
    monkeypatch.setattr(followed_models, "require_compacted", lambda connection, topic: None)
    return Writer()


ONE, TWO = "1" * 64, "2" * 64


def test_what_is_there_is_read_whole_and_then_what_comes(
    writer: Writer, caplog: pytest.LogCaptureFixture
) -> None:
    writer.write(a=ONE, bb=ONE, ccc=ONE, dddd=ONE, e=ONE)
    writer.write(a=TWO, bb=None, ccc=b"junk", nobody=b"{}")
    topic = FollowedModels(writer.servers, fetch_wait_ms=10)

    def serve() -> dict[str, str]:
        return {task: served.release for task, served in topic.latest().items()}

    topic.start(WAIT_S)
    try:
        assert serve() == {"a": TWO, "ccc": ONE, "dddd": ONE, "e": ONE}
        passed_over = [line for line in caplog.messages if "passed over" in line]
        assert sorted(line.partition(": what")[0] for line in passed_over) == [
            "ounce.models[2]: the record at 2 is passed over",
            "ounce.models[3]: the record at 1 is passed over",
        ]
        topic.wait_for_change(0.0)
        assert not topic.wait_for_change(0.05)
        writer.write(ccc=TWO, dddd=None)
        deadline = time.monotonic() + WAIT_S
        while serve() != {"a": TWO, "ccc": TWO, "e": ONE}:
            assert time.monotonic() < deadline
            topic.wait_for_change(1.0)
    finally:
        topic.close()
