"""When a follower of a topic says that all was given."""

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, Producer
from ounce_edge.broker import compacted
from ounce_edge.broker.compacted import TopicFollower

from tests.support.kafka.topics import OwnTopics
from tests.support.process.wait import wait_until

WAIT_S = 60.0


class Message:
    def __init__(self, text: bytes | None, partition: int, offset: int = 0) -> None:
        self._text, self._partition, self._offset = text, partition, offset

    def value(self) -> bytes | None:
        return self._text

    def partition(self) -> int:
        return self._partition

    def offset(self) -> int:
        return self._offset

    def error(self) -> KafkaError | None:
        return None if self._text else KafkaError(KafkaError._PARTITION_EOF)


class Consumer:
    """Gives what a test says, then nothing; what comes together is at hand together."""

    def __init__(self, gives: list[list[Message]]) -> None:
        self._gives = gives
        self._at_hand: list[Message] = []

    def list_topics(self, topic: str, timeout: float) -> Any:
        found = SimpleNamespace(error=None, partitions=[0, 1])
        return SimpleNamespace(topics={topic: found}, cluster_id="mockCluster1")

    def assign(self, places: object) -> None:
        pass

    def consume(self, n: int, timeout: float) -> list[Message]:
        assert n == 1 or not timeout, "a full batch is waited for"
        if timeout:
            self._at_hand = self._gives.pop(0) if self._gives else []
        taken, self._at_hand = self._at_hand[:n], self._at_hand[n:]
        return taken

    def get_watermark_offsets(self, place: object, timeout: float) -> None:
        pass

    def close(self) -> None:
        pass


class View:
    """A broker that has no ids of topics."""

    def topic_ids(self, topics: object) -> dict[str, str]:
        return {}


class Follows:
    def __init__(self, n: int) -> None:
        self.told: list[object] = []
        self.done = threading.Event()
        self._n = n

    def start(self) -> None:
        self.told.append("start")

    def take(self, record: Any) -> None:
        self.told.append(record.value())

    def caught_up(self) -> None:
        self.told.append("caught up")
        if self.told.count("caught up") == self._n:
            self.done.set()

    def tell_trouble(self, why: str | None) -> None:
        raise AssertionError(why)


def follow(follows: Follows, passed_over: Callable[[], None] = lambda: None) -> None:
    """Until it is done."""
    follower = TopicFollower("nowhere:1", "t", follows, passed_over)
    follower.start()
    try:
        assert follows.done.wait(WAIT_S)
    finally:
        follower.close()


def test_what_comes_later_is_told_without_waiting_for_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gives = [
        [Message(b"a", 0), Message(None, 0)],
        [Message(b"b", 1)],
        [Message(None, 1)],
        [Message(b"c", 0)],
    ]
    monkeypatch.setattr(compacted, "Consumer", lambda settings: Consumer(gives))
    monkeypatch.setattr(compacted, "BrokerView", lambda make_client: View())
    follows = Follows(2)
    follow(follows)
    assert follows.told == ["start", b"a", b"b", "caught up", b"c", "caught up"]


class Patient(Follows):
    """The topic is away while it is made anew."""

    def tell_trouble(self, why: str | None) -> None:
        pass


class Choosy(Patient):
    """Knows nothing of junk."""

    def take(self, record: Any) -> None:
        if record.value().startswith(b"junk"):
            raise OverflowError(f"no {record.value().decode()}" + 1000 * "!")
        super().take(record)


def test_what_can_not_be_taken_is_passed_over_and_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ends = [Message(None, 0), Message(None, 1)]
    first = [Message(b"junk", 0, 4), Message(b"a", 0, 5), Message(b"junk two", 0, 6), *ends]

    def gives(settings: object) -> Consumer:
        lost = Message(b"lost", 1)
        monkeypatch.setattr(lost, "error", lambda: KafkaError(KafkaError._ALL_BROKERS_DOWN))
        return Consumer([first, [lost]])

    monkeypatch.setattr(compacted, "Consumer", gives)
    monkeypatch.setattr(compacted, "BrokerView", lambda make_client: View())
    monkeypatch.setattr(compacted, "_AGAIN_S", 0.0)
    follows = Choosy(2)
    n_counted: list[None] = []
    follow(follows, lambda: n_counted.append(None))
    assert len(n_counted) == 2
    told = [line for line in caplog.messages if line.startswith("t[")]
    assert [line.rstrip("!") for line in told] == [
        "t[0]: the record at 4 is passed over: no junk",
        "t[0]: the record at 6 is passed over: no junk two",
    ]
    assert max(map(len, told)) < 500


@pytest.mark.kafka
def test_a_topic_that_is_made_anew_is_read_from_its_beginning(
    kafka: str, topics: OwnTopics
) -> None:
    """Also where it soon has more records than were read of the one before it."""
    topic = f"compacted-anew-{id(topics)}"
    topics.make([topic])
    producer = Producer({"bootstrap.servers": kafka})

    def send(*values: bytes) -> None:
        for value in values:
            producer.produce(topic, value, value)
        assert producer.flush(WAIT_S) == 0

    follows = Patient(1)
    follower = TopicFollower(kafka, topic, follows)
    follower.start()
    try:
        send(b"1", b"2")
        wait_until(lambda: b"2" in follows.told, lambda: follows.told)
        topics.make_again(topic)
        send(b"3", b"4", b"5")
        wait_until(
            lambda: (
                [told for told in follows.told if told != "caught up"][-4:]
                == ["start", b"3", b"4", b"5"]
            ),
            lambda: follows.told,
        )
    finally:
        follower.close()
