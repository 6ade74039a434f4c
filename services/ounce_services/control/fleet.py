"""Workers, as their events tell of them."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Protocol

from ounce_schemas.topics import events_topic

from ounce_services.control.access.principal import Principal
from ounce_services.control.carriers import Policies
from ounce_services.policies.status import WorkerStatus, read_statuses

HIDDEN = "it has a trouble; a key for all tenants shows which"
"""Told to one tenant of what may name others."""


class Topic(Policies, Protocol):
    """The topic of policies, and others of its cluster."""

    def read(self, topic: str) -> Iterator[Any]:
        """All records of another topic."""


def read_fleet(topic: Topic, caller: Principal) -> list[WorkerStatus]:
    """Each worker and task that told which policy it runs. What troubles it may name rules for
    others: one tenant hears only that something does.

    Raises:
        BrokerError: Kafka does not give the events.
    """
    workers = read_statuses(record.value() for record in topic.read(events_topic()))
    if caller.tenant is None:
        return workers
    return [replace(w, trouble=HIDDEN if w.trouble else None) for w in workers]
