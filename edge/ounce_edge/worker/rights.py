"""Whether Kafka lets a worker do what it has to, told before it takes a single record."""

import logging
from collections.abc import Iterable

from confluent_kafka.admin import AdminClient
from ounce_schemas.errors import BrokerError
from ounce_schemas.topics import (
    canaries_topic,
    dead_letters_topic,
    decisions_topic,
    events_topic,
    labels_topic,
    models_topic,
    policies_topic,
    predictions_topic,
    requests_topic,
    shadow_topic,
)

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
    """What this user may do; what Kafka doesn't say counts as permitted. To ask takes seconds at
    most.

    Args:
        admin: asks for the topics.
        settings: of the worker.
    """

    def __init__(self, admin: AdminClient, settings: WorkerSettings) -> None:
        self._settings = settings
        needed, wanted = _needed(settings), _wanted(settings)
        rights = TopicRights(admin, {topic for topic, _ in (*needed, *wanted)})
        kafka = {"bootstrap.servers": settings.kafka, **settings.security}
        of_group = GroupQuestion(kafka, settings.group).ask_once()
        self.lacking = _lacking(rights, needed)
        """Rights that a worker can't do without, in words."""
        if of_group is not None and not of_group.may_read:
            self.lacking.append(f"read group {settings.group}")
        self.missed = _lacking(rights, wanted)
        """Rights without which a worker serves all the same, in words."""

    def check(self) -> None:
        """Warn of what is missed: without labels and events a worker serves all the same.

        Raises:
            BrokerError: naming each right that is lacking.
        """
        if self.lacking:
            raise BrokerError(
                f"Kafka at {self._settings.kafka} does not let this user "
                f"{', '.join(self.lacking)}: {HOW_TO_GRANT}"
            )
        for right in self.missed:
            logger.warning("Kafka does not let this user %s: going on without", right)


def _needed(settings: WorkerSettings) -> list[_Right]:
    needed = list[_Right]()
    reads_answers = NoOffsets.parse(settings.when_no_offsets).fixed == "answered"
    for task in settings.task:
        needed.append((requests_topic(task), _READ))
        for topic in (predictions_topic(task), dead_letters_topic(task)):
            needed += [(topic, _WRITE), *([(topic, _READ)] if reads_answers else ())]
    if settings.models_store is not None:
        needed.append((models_topic(), _READ))
    return needed


def _wanted(settings: WorkerSettings) -> list[_Right]:
    wanted = [(events_topic(), _WRITE), *((labels_topic(task), _READ) for task in settings.task)]
    if settings.follow_policies:
        wanted += [(policies_topic(), _READ), (canaries_topic(), _READ), (canaries_topic(), _WRITE)]
        wanted += [(shadow_topic(task), _WRITE) for task in settings.task]
    if settings.publish_decisions:
        wanted.append((decisions_topic(), _WRITE))
    return wanted


def _lacking(rights: TopicRights, wanted: Iterable[_Right]) -> list[str]:
    return [
        f"{operation} {topic}"
        for topic, operation in wanted
        if rights.may(topic, operation.upper()) is False
    ]
