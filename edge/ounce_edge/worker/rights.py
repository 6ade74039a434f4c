"""Whether Kafka lets a worker do what it has to, told before it takes a single record."""

import logging
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclOperation,  # re-exported, as its documentation says
    AdminClient,
)
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
)

from ounce_edge.broker.reading.no_offsets import NoOffsets
from ounce_edge.worker.settings.worker import WorkerSettings

logger = logging.getLogger(__name__)

_DENIED = {KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED}
_TIMEOUT_S = 10.0
HOW_TO_GRANT = "grant it with kafka-acls.sh (docs/security.md, Rights)"
_READ, _WRITE = AclOperation.READ, AclOperation.WRITE
_Right = tuple[str, AclOperation]


def check_rights(admin: AdminClient, settings: WorkerSettings) -> None:
    """Ask Kafka what this user may do; what it doesn't say counts as permitted.

    Without labels and events a worker serves all the same: for those a warning is enough.

    Raises:
        BrokerError: naming each right that is lacking.
    """
    lacking, missed = lacking_rights(admin, settings)
    if lacking:
        raise BrokerError(
            f"Kafka at {settings.kafka} does not let this user {', '.join(lacking)}: {HOW_TO_GRANT}"
        )
    for right in missed:
        logger.warning("Kafka does not let this user %s: going on without", right)


def lacking_rights(admin: AdminClient, settings: WorkerSettings) -> tuple[list[str], list[str]]:
    """Rights that this user lacks: those that a worker can't do without, and the others."""
    needed, wanted = list[_Right](), [(EVENTS_TOPIC, _WRITE)]
    reads_answers = NoOffsets.parse(settings.when_no_offsets).fixed == "answered"
    for task in settings.task:
        needed.append((requests_topic(task), _READ))
        for topic in (predictions_topic(task), dead_letters_topic(task)):
            needed += [(topic, _WRITE), *([(topic, _READ)] if reads_answers else ())]
        wanted.append((labels_topic(task), _READ))
    if settings.models_store is not None:
        needed.append((MODELS_TOPIC, _READ))
    if settings.follow_policies:
        wanted += [(POLICIES_TOPIC, _READ), (CANARIES_TOPIC, _READ), (CANARIES_TOPIC, _WRITE)]
    if settings.publish_decisions:
        wanted.append((DECISIONS_TOPIC, _WRITE))
    of_topics = admin.describe_topics(
        TopicCollection([*{topic for topic, _ in (*needed, *wanted)}]),
        include_authorized_operations=True,
        request_timeout=_TIMEOUT_S,
    )
    of_group = admin.describe_consumer_groups(
        [settings.group], include_authorized_operations=True, request_timeout=_TIMEOUT_S
    )
    lacking = _lacking(of_topics, needed)
    if _lacking(of_group, [(settings.group, _READ)]):
        lacking.append(f"read group {settings.group}")
    return lacking, _lacking(of_topics, wanted)


def _lacking(answers: Mapping[str, "Future[Any]"], wanted: Iterable[_Right]) -> list[str]:
    return [
        f"{operation.name.lower()} {name}"
        for name, operation in wanted
        if not _may(answers[name], operation)
    ]


def _may(answer: "Future[Any]", operation: AclOperation) -> bool:
    try:
        permitted = answer.result(2 * _TIMEOUT_S).authorized_operations
    except KafkaException as e:  # absent, or a broker that can't tell: not a question of rights
        return e.args[0].code() not in _DENIED
    return not permitted or operation in permitted
