"""Workers, as their events tell of them."""

from collections.abc import Iterator
from typing import Any, Protocol

from ounce_schemas.topics import EVENTS_TOPIC

from ounce_services.control.carriers import Policies
from ounce_services.policies.status import WorkerStatus, read_statuses


class Topic(Policies, Protocol):
    """The topic of policies, and others of its cluster."""

    def read(self, topic: str) -> Iterator[Any]:
        """All records of another topic."""


def read_fleet(topic: Topic) -> list[WorkerStatus]:
    """Each worker and task that told which policy it runs.

    Raises:
        BrokerError: Kafka does not give the events.
    """
    return read_statuses(record.value() for record in topic.read(EVENTS_TOPIC))
