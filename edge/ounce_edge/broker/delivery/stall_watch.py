"""Noticing that the broker takes no answers, and finding out why.

A topic may ask for more in-sync replicas than there are, a partition may have no leader, a broker
may not answer. librdkafka then tries for ever, and tells nobody.
"""

import logging
import threading
from collections.abc import Callable, Collection

from confluent_kafka import KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    ConfigResource,  # re-exported, as its documentation says
    ResourceType,
)

from ounce_edge.broker.delivery.publishing import ProducerSettings

logger = logging.getLogger(__name__)

STALLED_AFTER_S = 3.0
"""A broker at work confirms a batch in milliseconds, and chooses a new leader within seconds."""
_EVERY_S = 0.5
_ASK_S = 2.0
"""Longest wait for one answer of the broker about its topics."""
_MIN_IN_SYNC = "min.insync.replicas"
_UNKNOWN = "it answers other requests, and does not say why"


class StallWatch:
    """Looks, on a thread of its own, whether what is published is confirmed.

    Args:
        unconfirmed_s: since when a batch is under way, in seconds; 0 where none is.
        why: finds out what is wrong, if it can; may block for seconds.
        every_s: how often to look.
    """

    def __init__(
        self,
        unconfirmed_s: Callable[[], float],
        why: Callable[[], str | None],
        every_s: float = _EVERY_S,
    ) -> None:
        self._unconfirmed_s = unconfirmed_s
        self._why = why
        self._every_s = every_s
        self._closing = threading.Event()
        self.trouble: str | None = None
        """What is wrong, as of the last look."""
        threading.Thread(target=self._run, name="stall-watch", daemon=True).start()

    def close(self) -> None:
        """Look no more."""
        self._closing.set()

    def _run(self) -> None:
        stalled_s = 0.0
        while not self._closing.wait(self._every_s):
            for_s = self._unconfirmed_s()
            if for_s >= STALLED_AFTER_S:
                stalled_s = for_s
                why = self._why() or _UNKNOWN
                if why != self.trouble and self._unconfirmed_s() >= STALLED_AFTER_S:
                    logger.error("the broker has taken no answer for %.0f s: %s", for_s, why)
                    self.trouble = why
            elif self.trouble is not None:
                logger.warning("the broker takes answers again, after %.0f s", stalled_s)
                self.trouble = None


def why_unconfirmed(settings: ProducerSettings, topics: Collection[str]) -> str | None:
    """Ask the broker, on a new connection, what keeps it from taking records; None where it does
    not tell.

    Args:
        settings: how to reach it.
        topics: where the records go.
    """
    known = ("bootstrap.servers", "security.", "sasl.", "ssl.", "enable.ssl.")
    admin = AdminClient(
        {name: value for name, value in settings.items() if name.startswith(known)}
        | {"log_level": 0}
    )
    try:
        found = admin.list_topics(timeout=_ASK_S).topics
        least = _min_in_sync(admin, [topic for topic in topics if topic in found])
    except KafkaException as e:
        return f"Kafka at {settings['bootstrap.servers']} does not answer: {e.args[0].str()}"
    for topic in sorted(topics):
        if topic not in found:
            return f"there is no topic {topic}, or this user may not see it"
        for number, partition in sorted(found[topic].partitions.items()):
            if partition.leader < 0:
                return f"{topic}[{number}] has no leader"
            if len(partition.isrs) < least.get(topic, 0):
                return (
                    f"{topic}[{number}] has {len(partition.isrs)} in-sync replica(s), and its "
                    f"{_MIN_IN_SYNC} asks for {least[topic]}"
                )
    return None


def _min_in_sync(admin: AdminClient, topics: Collection[str]) -> dict[str, int]:
    """By topic, where the broker tells."""
    if not topics:
        return {}
    resources = [ConfigResource(ResourceType.TOPIC, topic) for topic in topics]
    least = {}
    for resource, answer in admin.describe_configs(resources, request_timeout=_ASK_S).items():
        try:
            least[resource.name] = int(answer.result(2 * _ASK_S)[_MIN_IN_SYNC].value)
        except KafkaException as e:  # this user may not ask
            logger.debug("no configuration of %s: %s", resource.name, e.args[0].str())
    return least
