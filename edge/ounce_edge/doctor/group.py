"""Does every worker of the group have partitions?"""

from typing import Any

from confluent_kafka import ConsumerGroupState, KafkaException
from ounce_schemas.wording import counted

from ounce_edge.doctor.finding import Finding, Verdict, why

_TIMEOUT_S = 10.0


def check_group(admin: Any, group: str, n_partitions: int) -> Finding:
    """Members of a group, and how many of them have nothing to do.

    Args:
        admin: client of the cluster.
        group: its name.
        n_partitions: of all topics of requests that the worker reads.
    """
    check = f"group {group}"
    try:
        found = admin.describe_consumer_groups([group], request_timeout=_TIMEOUT_S)[group]
        state = found.result(2 * _TIMEOUT_S)
    except (KafkaException, TimeoutError) as e:
        return Finding(check, Verdict.SKIPPED, f"Kafka tells nothing of it: {why(e)}")
    if state.state in (ConsumerGroupState.PREPARING_REBALANCING,
                       ConsumerGroupState.COMPLETING_REBALANCING):  # fmt: skip
        return Finding(check, Verdict.SKIPPED, "its partitions are given out anew right now")
    n = len(state.members)
    n_idle = sum(not member.assignment.topic_partitions for member in state.members)
    text = f"{counted(n, 'worker')}, {counted(n_partitions, 'partition')} of requests"
    if n_idle:
        advice = "give the topic of requests, and that of predictions, more partitions"
        return Finding(check, Verdict.WARNING, f"{text}: {n_idle} without any", advice)
    return Finding(check, Verdict.OK, text)
