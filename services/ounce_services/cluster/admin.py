"""What every service asks of Kafka before it starts: is it there, and are the topics."""

from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from ounce_schemas.embedded_cluster import is_embedded
from ounce_schemas.errors import BrokerError
from ounce_schemas.first_contact import first_contact
from ounce_schemas.topic_names import TaskTopic
from ounce_schemas.topics import control_topics, topic_names

CLIENT_CONFIG: dict[str, str | int | float | bool] = {"log_level": 2, "client.id": "ounce"}
"""Only critical lines from librdkafka itself: what matters is raised as an error of ours."""

ANY_SIZE: Mapping[str, Any] = MappingProxyType({"message.max.bytes": 1_000_000_000})
"""Of a producer: the topic's limit counts, not the client's."""

OPEN: Mapping[str, Any] = MappingProxyType({})
"""What librdkafka must be told of security where there is none."""

BROKERS_CHOICE = -1
"""As many copies as the broker gives a topic by default."""

_MOST_TASKS = 10
"""Tasks that an error lists."""


@dataclass(frozen=True)
class Cluster:
    """What a broker says of its cluster."""

    id: str
    partitions: Mapping[str, int]
    """Number of partitions by topic."""

    @property
    def is_embedded(self) -> bool:
        """Whether it is librdkafka's mock cluster."""
        return is_embedded(self.id)


@dataclass(frozen=True)
class TopicState:
    """A topic that is there now."""

    name: str
    partitions: int
    created: bool
    """False where it was there already."""


def describe_cluster(
    bootstrap_servers: str, timeout_s: float = 10.0, security: Mapping[str, Any] = OPEN
) -> Cluster:
    """Brokers and topics of a cluster; creates nothing.

    Raises:
        BrokerError: no broker answers in `timeout_s`, or it refuses to.
    """
    return _connect(bootstrap_servers, timeout_s, security)[1]


def create_topics(
    bootstrap_servers: str,
    names: Iterable[str],
    *,
    partitions: int = 4,
    replication: int = BROKERS_CHOICE,
    timeout_s: float = 10.0,
    security: Mapping[str, Any] = OPEN,
) -> list[TopicState]:
    """Create the topics that are not there yet. Control topics are compacted, of one partition.

    librdkafka's mock cluster knows no CreateTopics request: it creates a topic, always with four
    partitions, when a client asks for its metadata.

    Raises:
        BrokerError: no broker answers, or one refuses a topic.
    """
    names = list(names)
    client, cluster = _connect(bootstrap_servers, timeout_s, security)
    absent = [name for name in names if name not in cluster.partitions]
    if cluster.is_embedded:
        for name in absent:
            client.list_topics(name, timeout=timeout_s)
        cluster = _describe(client, bootstrap_servers, timeout_s)
        counts = {name: cluster.partitions[name] for name in absent}
    elif absent:
        new = {name: _new_topic(name, partitions, replication) for name in absent}
        requests = client.create_topics([*new.values()], request_timeout=timeout_s)
        counts = {
            name: topic.num_partitions
            for name, topic in new.items()
            if _was_created(name, requests)
        }
        if len(counts) < len(absent):  # somebody else was faster
            cluster = _describe(client, bootstrap_servers, timeout_s)
    else:
        counts = {}
    hidden = [name for name in names if name not in counts and name not in cluster.partitions]
    if hidden:
        raise BrokerError(f"this user may not see topic {', '.join(hidden)}: grant it Describe")
    return [
        TopicState(name, counts[name], created=True)
        if name in counts
        else TopicState(name, cluster.partitions[name], created=False)
        for name in names
    ]


def topic_ids(client: AdminClient, names: Iterable[str], timeout_s: float) -> dict[str, str]:
    """Ids of these topics, as far as Kafka tells: one that is made anew has another.

    The embedded broker knows none, and is silent when it is asked.
    """
    asked: Mapping[str, Future[Any]] = client.describe_topics(
        TopicCollection([*names]), request_timeout=timeout_s
    )
    found = {}
    for name, answer in asked.items():
        with suppress(KafkaException, TimeoutError):
            found[name] = str(answer.result(2 * timeout_s).topic_id)
    return found


class AbsentTopicError(BrokerError):
    """Kafka answers, and lacks a topic, or does not show it to this user."""


def require_topics(cluster: Cluster, task: str, names: Iterable[str]) -> None:
    """Check that a task's topics are there.

    Raises:
        AbsentTopicError: naming those that are not.
    """
    absent = [name for name in names if name not in cluster.partitions]
    if absent:
        found = (
            topic_names().task_of(topic, TaskTopic.REQUESTS) for topic in sorted(cluster.partitions)
        )
        others = [other for other in found if other not in (None, task)]
        there = f"; tasks that Kafka has: {', '.join(others[:_MOST_TASKS])}" if others else ""
        raise AbsentTopicError(
            f"Kafka has no topic {', '.join(absent)}: create it with "
            f"`ounce topics {task} --kafka HOST:PORT`, or let this user Describe it{there}"
        )


def _connect(
    bootstrap_servers: str, timeout_s: float, security: Mapping[str, Any]
) -> tuple[AdminClient, Cluster]:
    client, found = first_contact(
        AdminClient,
        {**CLIENT_CONFIG, "bootstrap.servers": bootstrap_servers, **security},
        timeout_s,
        KafkaException,
    )
    return client, _cluster(found)


def _describe(client: AdminClient, bootstrap_servers: str, timeout_s: float) -> Cluster:
    try:
        return _cluster(client.list_topics(timeout=timeout_s))
    except KafkaException as e:
        raise BrokerError(
            f"Kafka at {bootstrap_servers} answers no longer: {e.args[0].str()}"
        ) from e


def _cluster(found: Any) -> Cluster:
    return Cluster(
        id=found.cluster_id or "",
        partitions={name: len(topic.partitions) for name, topic in found.topics.items()},
    )


def _new_topic(name: str, partitions: int, replication: int) -> NewTopic:
    if name in control_topics():
        return NewTopic(name, 1, replication, config={"cleanup.policy": "compact"})
    return NewTopic(name, partitions, replication)


def _was_created(name: str, requests: Mapping[str, "Future[None]"]) -> bool:
    try:
        requests[name].result()
    except KafkaException as e:
        error: KafkaError = e.args[0]
        if error.code() == KafkaError.TOPIC_ALREADY_EXISTS:
            return False
        raise BrokerError(f"Kafka refuses to create topic {name}: {error.str()}") from e
    return True
