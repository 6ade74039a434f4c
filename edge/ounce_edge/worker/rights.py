"""Whether Kafka lets a worker do what it has to, told before it takes a single record."""

import logging
from collections.abc import Iterable

from confluent_kafka.admin import AdminClient
from ounce_schemas.errors import BrokerError
from ounce_schemas.topics import (
    CANARIES_TOPIC,
    DECISIONS_TOPIC,
    EVENTS_TOPIC,
    MODELS_TOPIC,
    POLICIES_TOPIC,
    dead_letters_topic,
    labels_topic,
    predictions_topic,
    requests_topic,
    shadow_topic,
)

from ounce_edge.broker.beside import beside
from ounce_edge.broker.group_question import GroupQuestion
from ounce_edge.broker.reading.no_offsets import NoOffsets
from ounce_edge.broker.topic_rights import TopicRights
from ounce_edge.worker.settings.worker import WorkerSettings

logger = logging.getLogger(__name__)

HOW_TO_GRANT = "grant it with kafka-acls.sh (docs/security.md, Rights)"
_READ, _WRITE = "read", "write"
_Right = tuple[str, str]
"""A topic, and what to do with it."""


class Rights:
    """What this user may do; what Kafka doesn't say counts as permitted.

    Asks for the topics, and beside it for the group: that takes a process, and so its time.

    Args:
        admin: asks for the topics.
        settings: of the worker.
    """

    def __init__(self, admin: AdminClient, settings: WorkerSettings) -> None:
        self._settings = settings
        kafka = {"bootstrap.servers": settings.kafka, **settings.security}
        self._group = beside(GroupQuestion(kafka, settings.group).ask, "group")
        needed, wanted = _needed(settings), _wanted(settings)
        rights = TopicRights(admin, {topic for topic, _ in (*needed, *wanted)})
        self.lacking_of_topics = _lacking(rights, needed)
        """Rights that a worker can't do without, in words."""
        self.missed = _lacking(rights, wanted)
        """Rights without which a worker serves all the same, in words."""

    def lacking(self) -> list[str]:
        """All rights that a worker can't do without, in words. Waits for what Kafka says of the
        group."""
        told = self._group.result()
        if told is None or told.may_read:
            return self.lacking_of_topics
        return [*self.lacking_of_topics, f"read group {self._settings.group}"]

    def warn_of_missed(self) -> None:
        """Without labels and events a worker serves all the same: a warning is enough."""
        for right in self.missed:
            logger.warning("Kafka does not let this user %s: going on without", right)

    def check(self) -> None:
        """Wait for what Kafka says of the group.

        Raises:
            BrokerError: naming each right that is lacking.
        """
        lacking = self.lacking()
        if lacking:
            raise BrokerError(
                f"Kafka at {self._settings.kafka} does not let this user {', '.join(lacking)}: "
                f"{HOW_TO_GRANT}"
            )


def _needed(settings: WorkerSettings) -> list[_Right]:
    needed = list[_Right]()
    reads_answers = NoOffsets.parse(settings.when_no_offsets).fixed == "answered"
    for task in settings.task:
        needed.append((requests_topic(task), _READ))
        for topic in (predictions_topic(task), dead_letters_topic(task)):
            needed += [(topic, _WRITE), *([(topic, _READ)] if reads_answers else ())]
    if settings.models_store is not None:
        needed.append((MODELS_TOPIC, _READ))
    return needed


def _wanted(settings: WorkerSettings) -> list[_Right]:
    wanted = [(EVENTS_TOPIC, _WRITE), *((labels_topic(task), _READ) for task in settings.task)]
    if settings.follow_policies:
        wanted += [(POLICIES_TOPIC, _READ), (CANARIES_TOPIC, _READ), (CANARIES_TOPIC, _WRITE)]
        wanted += [(shadow_topic(task), _WRITE) for task in settings.task]
    if settings.publish_decisions:
        wanted.append((DECISIONS_TOPIC, _WRITE))
    return wanted


def _lacking(rights: TopicRights, wanted: Iterable[_Right]) -> list[str]:
    return [
        f"{operation} {topic}"
        for topic, operation in wanted
        if rights.may(topic, operation.upper()) is False
    ]
