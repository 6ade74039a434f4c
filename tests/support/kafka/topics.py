"""Topics that live as long as one test."""

import time
from collections.abc import Mapping, Sequence
from itertools import count

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    OffsetSpec,
    ResourceType,
)
from confluent_kafka.cimpl import NewPartitions, NewTopic
from ounce_schemas.topics import task_topics

from tests.support.process.wait import wait_until

_TIMEOUT_S = 60
_MARKS = count(60_001)
"""Values of a configuration that changes nothing here."""


def configure(servers: str, topic: str, **values: object) -> None:
    """Set configurations of a topic, and wait until its only broker acts by them; `_` in their
    names stands for a dot."""
    admin = AdminClient({"bootstrap.servers": servers})
    _set(admin, topic, {name.replace("_", "."): str(value) for name, value in values.items()})
    # A broker shows a change, then acts by it, then goes on to the next.
    _set(admin, topic, {"file.delete.delay.ms": str(next(_MARKS))})


def _set(admin: AdminClient, topic: str, wanted: Mapping[str, str]) -> None:
    """Return once the broker shows them."""
    entries = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        for name, value in wanted.items()
    ]
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
    admin.incremental_alter_configs([resource])[resource].result(_TIMEOUT_S)
    asked = ConfigResource(ResourceType.TOPIC, topic)

    def differing() -> list[str]:
        try:
            known = admin.describe_configs([asked])[asked].result(_TIMEOUT_S)
        except KafkaException as e:
            if e.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise
            return [*wanted]  # it was made a moment ago
        return [name for name, value in wanted.items() if known[name].value != value]

    wait_until(lambda: not differing(), differing)


class OwnTopics:
    """Makes topics on a broker and removes its own at the end; never touches one it found there."""

    def __init__(self, bootstrap_servers: str) -> None:
        """Connect to a broker."""
        self._servers = bootstrap_servers
        self._admin = AdminClient({"bootstrap.servers": bootstrap_servers})
        self._made: list[str] = []

    def of_task(self, task: str, partitions: int = 1) -> tuple[str, str, str, str]:
        """Make a task's topics: requests, predictions, dead letters, labels."""
        topics = task_topics(task)
        self.make(topics, partitions)
        return topics

    def make(
        self, topics: Sequence[str], partitions: int = 1, config: Mapping[str, str] | None = None
    ) -> None:
        """Make `topics`, with this configuration, and wait until clients can see them.

        Raises:
            RuntimeError: one is there already and is not this test's to remove.
        """
        new = [
            NewTopic(topic, num_partitions=partitions, config=dict(config or {}))
            for topic in topics
        ]
        for topic, outcome in self._admin.create_topics(new).items():
            try:
                outcome.result(_TIMEOUT_S)
            except KafkaException as e:
                if e.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise
                raise RuntimeError(
                    f"topic {topic!r} exists on {self._servers}: give the tests a broker without it"
                ) from e
            self._made.append(topic)
        self._wait(dict.fromkeys(topics, True))
        self._wait_for_leaders([TopicPartition(t, p) for t in topics for p in range(partitions)])

    def grow(self, topic: str, partitions: int) -> None:
        """Give a topic that was made here so many partitions in all."""
        asked = self._admin.create_partitions([NewPartitions(topic, partitions)])
        asked[topic].result(_TIMEOUT_S)

        def known() -> int:
            return len(self._admin.list_topics(timeout=_TIMEOUT_S).topics[topic].partitions)

        wait_until(lambda: known() == partitions, known)
        # A client that knows the topic asks for no partition that came later.
        others = OwnTopics(self._servers)
        others._wait_for_leaders([TopicPartition(topic, p) for p in range(partitions)])

    def cut(self, topic: str, offset: int, partition: int = 0) -> None:
        """Delete the records before an offset, as retention does."""
        asked = self._admin.delete_records([TopicPartition(topic, partition, offset)])
        for outcome in asked.values():
            outcome.result(_TIMEOUT_S)

    def made_by_others(self, topic: str) -> None:
        """Remove this one too, which a test makes by a command; it must not be there yet."""
        assert topic not in self._admin.list_topics(timeout=_TIMEOUT_S).topics
        self._made.append(topic)

    def delete(self, topic: str) -> None:
        """Delete a topic that was made here; it may be there for a moment."""
        self._admin.delete_topics([topic])[topic].result(_TIMEOUT_S)

    def make_again(self, topic: str, partitions: int = 1) -> None:
        """Delete a topic that was made here, and make one of the same name at once."""
        self.delete(topic)
        deadline = time.monotonic() + _TIMEOUT_S
        while True:  # the broker may still be deleting
            try:
                new = NewTopic(topic, num_partitions=partitions)
                self._admin.create_topics([new])[topic].result(_TIMEOUT_S)
                return
            except KafkaException:
                if time.monotonic() > deadline:
                    raise

    def remove(self) -> None:
        """Remove all that were made, and wait until they are gone."""
        present = self._admin.list_topics(timeout=_TIMEOUT_S).topics
        self._made = [topic for topic in self._made if topic in present]
        if not self._made:
            return
        for outcome in self._admin.delete_topics(self._made).values():
            outcome.result(_TIMEOUT_S)
        self._wait(dict.fromkeys(self._made, False))
        self._made.clear()

    def _wait_for_leaders(self, places: Sequence[TopicPartition]) -> None:
        """Return once each partition can be asked: for a moment its leader does not know of it."""
        said: list[str] = []

        def is_known() -> bool:
            asked = self._admin.list_offsets({place: OffsetSpec.latest() for place in places})
            try:
                for place in places:
                    asked[place].result(_TIMEOUT_S)
            except KafkaException as e:
                said.append(str(e))
                return False
            return True

        wait_until(is_known, lambda: said[-1])

    def _wait(self, expected: dict[str, bool]) -> None:
        """Return once the broker's metadata shows each topic as present or absent."""

        def differing() -> list[str]:
            present = self._admin.list_topics(timeout=_TIMEOUT_S).topics
            return [topic for topic, there in expected.items() if (topic in present) != there]

        wait_until(lambda: not differing(), differing)
