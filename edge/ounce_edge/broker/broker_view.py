"""What the broker says now of partitions and topics, asked apart from the consumer.

What a consumer's client knows of the ends of its partitions is as old as its last fetch.
"""

import logging
import threading
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from confluent_kafka import (
    IsolationLevel,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    OffsetSpec,  # re-exported, as its documentation says
    TopicMetadata,
)
from ounce_schemas.embedded_cluster import is_embedded
from ounce_schemas.errors import BrokerError
from ounce_schemas.first_contact import first_contact

from ounce_edge.broker.places import Partition, place_of

logger = logging.getLogger(__name__)

_TIMEOUT_S = 5.0
_ASK_S = 2.0
_EARLIEST, _LATEST = OffsetSpec.earliest(), OffsetSpec.latest()  # type: ignore[no-untyped-call]
_QUESTIONS = (
    (_EARLIEST, IsolationLevel.READ_UNCOMMITTED),
    (_LATEST, IsolationLevel.READ_COMMITTED),
    (_LATEST, IsolationLevel.READ_UNCOMMITTED),
)
"""In the order of the fields of `Marks`."""


class SilentBrokerError(Exception):
    """The broker did not answer in time. The text says why, where that is known."""


def why_silent(kafka: Mapping[str, Any]) -> str:
    """Why Kafka does not answer, such as a certificate that is not trusted; empty where it does.

    Args:
        kafka: settings of a client.
    """
    try:
        first_contact(AdminClient, {**kafka, "log_level": 0}, _ASK_S, KafkaException)
    except BrokerError as e:
        return str(e)
    return ""


@dataclass(frozen=True, slots=True)
class Marks:
    """Offsets of a partition."""

    low: int
    """Of the oldest record that is kept."""
    stable_end: int
    """Up to here a read-committed reader can read: the end, or the start of the oldest open
    transaction."""
    end: int
    """Of the record that is written next."""

    @property
    def n_kept(self) -> int:
        """Records that are kept, at most."""
        return self.end - self.low


class BrokerView:
    """Asks the broker; may be used on any thread, and blocks it for seconds at most.

    A client remembers for minutes that a partition has no leader, whatever the broker would say.
    So a new client is asked after a failure.

    Args:
        connect: makes a client.
        find_why: says why the broker does not answer, where that can be found out.
    """

    def __init__(
        self, connect: Callable[[], AdminClient], find_why: Callable[[], str] = lambda: ""
    ) -> None:
        self._connect, self._find_why = connect, find_why
        self._client: AdminClient | None = None
        self._is_embedded: bool | None = None
        """None: it is not known yet."""
        self._lock = threading.Lock()

    def check(self, topic: str) -> None:
        """Return if the broker says anything of this topic.

        Raises:
            SilentBrokerError: it does not.
        """
        self.topic(topic)

    def topic(self, topic: str) -> TopicMetadata:
        """What the broker says of a topic: its partitions, or why there are none.

        Raises:
            SilentBrokerError: the broker does not answer.
        """
        with suppress(KafkaException):
            return self._connected().list_topics(topic, timeout=_TIMEOUT_S).topics[topic]
        # Not while that is handled: where another call of confluent-kafka 2.16 raises meanwhile,
        # the first exception stays for ever, and with it the client.
        self._forget_client()
        raise SilentBrokerError(self._find_why())

    def marks(self, partitions: Collection[Partition]) -> dict[Partition, Marks]:
        """Marks of these partitions, as far as the broker tells."""
        if not partitions:
            return {}
        asked = [TopicPartition(topic, partition) for topic, partition in partitions]
        client = self._connected()
        answers = [
            client.list_offsets(
                dict.fromkeys(asked, spec), isolation_level=isolation, request_timeout=_TIMEOUT_S
            )
            for spec, isolation in _QUESTIONS
        ]
        found: dict[Partition, Marks] = {}
        for at in asked:
            told = [_result(answer[at], f"{at.topic}[{at.partition}]") for answer in answers]
            if all(each is not None for each in told):
                found[place_of(at)] = Marks(*(each.offset for each in told))
        if len(found) < len(asked):
            self._forget_client()
        return found

    def topic_ids(self, topics: Collection[str]) -> dict[str, str]:
        """Ids of these topics, as far as the broker tells: one that is made again has another."""
        if not topics or self._embedded(next(iter(topics))):
            return {}
        answers: Mapping[str, Future[Any]] = self._connected().describe_topics(
            TopicCollection([*topics]), request_timeout=_TIMEOUT_S
        )
        told = {topic: _result(answer, topic) for topic, answer in answers.items()}
        return {topic: str(each.topic_id) for topic, each in told.items() if each is not None}

    def _embedded(self, topic: str) -> bool:
        """Whether it is the embedded broker, which is silent where it is asked for much."""
        if self._is_embedded is None:
            try:
                found = self._connected().list_topics(topic, timeout=_TIMEOUT_S)
            except KafkaException as e:
                logger.debug("the broker does not tell what it is: %s", e)
                return False
            self._is_embedded = is_embedded(found.cluster_id)
        return self._is_embedded

    def _connected(self) -> AdminClient:
        with self._lock:
            if self._client is None:
                self._client = self._connect()
            return self._client

    def _forget_client(self) -> None:
        with self._lock:
            self._client = None


def _result(answer: "Future[Any]", of: str) -> Any:
    """What is told; None where nothing is."""
    try:
        return answer.result(2 * _TIMEOUT_S)
    except (KafkaException, TimeoutError) as e:
        logger.debug("the broker tells nothing of %s: %s", of, e)
        return None
