"""Members of a worker's group: what workers have of it, and those that are no workers.

Nobody answers the requests of partitions that such a member has. Kafka gives partitions to every
member, also to one of the consumer protocol of KIP-848 beside members of the classic one.
"""

from dataclasses import dataclass

from confluent_kafka import ConsumerGroupState
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    ConsumerGroupDescription,  # re-exported, as its documentation says
)

from ounce_edge.broker.places import Partition, place_of

WORKER_CLIENT_ID = "ounce-worker"
"""By it the broker, and other workers, know a worker's consumer."""

_REBALANCING = {
    ConsumerGroupState.PREPARING_REBALANCING,
    ConsumerGroupState.COMPLETING_REBALANCING,
}
"""In these states the broker tells of no assignments."""
_SETTLED = {ConsumerGroupState.STABLE, ConsumerGroupState.EMPTY, ConsumerGroupState.DEAD}
"""In these the assignments that it tells of are all that there are."""


@dataclass(frozen=True, slots=True, order=True)
class Stranger:
    """A member that is no worker."""

    client_id: str
    host: str
    partitions: tuple[Partition, ...]
    """That it has: names of topics and numbers, in order."""


def strangers_of(group: ConsumerGroupDescription) -> tuple[Stranger, ...] | None:
    """Those of a group, in order; None where the broker can't tell now."""
    if group.state in _REBALANCING:
        return None
    found = [
        Stranger(
            member.client_id,
            member.host.removeprefix("/"),
            tuple(sorted(map(place_of, member.assignment.topic_partitions))),
        )
        for member in group.members
        if member.client_id != WORKER_CLIENT_ID
    ]
    return tuple(sorted(found))


def topics_of_workers(group: ConsumerGroupDescription) -> frozenset[str] | None:
    """Topics of which workers of a group have partitions; None where the broker can't tell now."""
    if group.state not in _SETTLED:
        return None
    return frozenset(
        at.topic
        for member in group.members
        if member.client_id == WORKER_CLIENT_ID
        for at in member.assignment.topic_partitions
    )
