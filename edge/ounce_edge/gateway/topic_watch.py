"""Which of a gateway's topics are absent, and which may not be read: by a look at Kafka now and
then, on a thread."""

import logging
import threading
from collections.abc import Callable, Collection, Iterable, Mapping

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from ounce_schemas.embedded_cluster import is_embedded

from ounce_edge.broker.delivery.publishing import ProducerSettings
from ounce_edge.broker.topic_rights import TopicRights

logger = logging.getLogger(__name__)

_EVERY_S = 5.0
_TIMEOUT_S = 5.0


class TopicWatch:
    """Tells which topics are absent, and which may not be read. What is not known is neither.

    Args:
        kafka: how to reach Kafka.
        topics: gives those to look for.
        tell_absent: told of all that are absent, after each look.
        read: those to be read.
        tell_readable: told whether this user may read them, of those of which Kafka says so, after
            each look.
    """

    def __init__(
        self,
        kafka: ProducerSettings,
        topics: Callable[[], Iterable[str]],
        tell_absent: Callable[[frozenset[str]], None],
        read: Collection[str],
        tell_readable: Callable[[Mapping[str, bool]], None],
    ) -> None:
        self._kafka = {**kafka, "log_level": 0}  # the line tells of outages
        self._topics, self._tell_absent = topics, tell_absent
        self._read, self._tell_readable = read, tell_readable
        self._absent: frozenset[str] = frozenset()
        self._is_closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="topics", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End."""
        self._is_closing.set()

    def _run(self) -> None:
        client = AdminClient(self._kafka, logger=logger)
        while not self._is_closing.is_set():
            try:
                self._look(client)
            except Exception as e:  # whatever it is, the next look may go well
                logger.debug("topics are not looked at: %s", e)
            self._is_closing.wait(_EVERY_S)

    def _look(self, client: AdminClient) -> None:
        cluster = client.list_topics(timeout=_TIMEOUT_S)
        found = absent_topics(client, self._topics(), cluster.topics)
        for topic in sorted(found - self._absent):
            logger.error("%s is absent: make it with `ounce topics`; its records are stored", topic)
        for topic in sorted(self._absent - found):
            logger.info("%s is there", topic)
        self._absent = found
        self._tell_absent(found)
        if not is_embedded(cluster.cluster_id):  # it is silent where it is asked for much
            self._tell_readable(readable_topics(client, self._read))


def absent_topics(
    client: AdminClient, topics: Iterable[str], present: Collection[str]
) -> frozenset[str]:
    """Those that Kafka does not have. A broker that makes topics when they are asked for makes
    them.

    Args:
        client: asks for each that is not present, by its name.
        topics: to look for.
        present: all that Kafka shows to this user.
    """
    return frozenset(t for t in set(topics) if t not in present and _is_absent(client, t))


def readable_topics(client: AdminClient, topics: Collection[str]) -> dict[str, bool]:
    """Whether this user may read them, of those of which Kafka says so."""
    rights = TopicRights(client, topics)
    told = ((topic, rights.may(topic, "READ")) for topic in topics)
    return {topic: may for topic, may in told if may is not None}


def _is_absent(client: AdminClient, topic: str) -> bool:
    try:
        error = client.list_topics(topic, timeout=_TIMEOUT_S).topics[topic].error
    except KafkaException:
        return False
    return error is not None and error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART
