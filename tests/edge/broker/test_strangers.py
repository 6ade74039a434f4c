"""Members of a group that are no workers."""

from typing import Any

import pytest
from confluent_kafka import ConsumerGroupState, ConsumerGroupType, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    ConsumerGroupDescription,
    MemberAssignment,
    MemberDescription,
)
from ounce_edge.broker.strangers import (
    WORKER_CLIENT_ID,
    Stranger,
    strangers_of,
    topics_of_workers,
)


def group(state: ConsumerGroupState, *members: MemberDescription) -> ConsumerGroupDescription:
    nowhere: Any = None
    return ConsumerGroupDescription(
        "g", False, [*members], "range", state, nowhere, type=ConsumerGroupType.CONSUMER
    )


def member(client_id: str, *partitions: int) -> MemberDescription:
    having = MemberAssignment([TopicPartition("t", p) for p in partitions])
    return MemberDescription(f"{client_id}-1", client_id, "/10.0.0.7", having)


def test_all_but_workers_are_strangers() -> None:
    of_workers = [member(WORKER_CLIENT_ID, 1, 2)] * 2
    assert strangers_of(group(ConsumerGroupState.STABLE, *of_workers)) == ()
    mixed = group(ConsumerGroupState.STABLE, member("b", 5, 4), *of_workers, member("a"))
    assert strangers_of(mixed) == (
        Stranger("a", "10.0.0.7", ()),
        Stranger("b", "10.0.0.7", (("t", 4), ("t", 5))),
    )


@pytest.mark.parametrize("state", ConsumerGroupState)
def test_nothing_is_known_while_a_group_shares_its_partitions_anew(
    state: ConsumerGroupState,
) -> None:
    is_told = strangers_of(group(state, member("a"))) is not None
    assert is_told == ("REBALANCING" not in state.name)


def test_what_workers_read_is_known_of_a_group_that_is_settled() -> None:
    members = [member(WORKER_CLIENT_ID, 1), member(WORKER_CLIENT_ID)]
    assert topics_of_workers(group(ConsumerGroupState.STABLE, *members)) == {"t"}
    for others in ([], [member("spy", 1)], [member(WORKER_CLIENT_ID)]):
        assert topics_of_workers(group(ConsumerGroupState.STABLE, *others)) == frozenset()
    told = {state for state in ConsumerGroupState if topics_of_workers(group(state)) is not None}
    assert told == {
        ConsumerGroupState.STABLE, ConsumerGroupState.EMPTY, ConsumerGroupState.DEAD
    }  # fmt: skip
