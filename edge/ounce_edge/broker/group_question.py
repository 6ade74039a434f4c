"""Asking Kafka about a group, by a process of its own.

Where a connection breaks while librdkafka asks for a group, it ends the process that asked:
https://github.com/confluentinc/librdkafka/pull/5397.
"""

import json
import logging
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from ounce_schemas.embedded_cluster import is_embedded
from ounce_schemas.topics import events_topic

from ounce_edge.broker.strangers import Stranger, strangers_of, topics_of_workers

logger = logging.getLogger(__name__)

_TIMEOUT_S = 5.0
_ENDS_WITHIN_S = 20.0
"""Also on a machine that is slow to start it; less than what stops a worker from being alive."""


@dataclass(frozen=True, slots=True)
class GroupAnswer:
    """What Kafka says of a group."""

    strangers: tuple[Stranger, ...] | None
    """Members that are no workers; None where Kafka can't tell now."""
    may_read: bool
    """Whether this user may be a member; so, too, where Kafka does not tell."""
    topics: frozenset[str] | None = None
    """Of which workers have partitions; None where Kafka can't tell now."""


class GroupQuestion:
    """What Kafka says of a group; asking blocks a thread for seconds at most.

    Args:
        kafka: what librdkafka must be told to reach the brokers.
        group: the group's name.
    """

    def __init__(self, kafka: Mapping[str, Any], group: str) -> None:
        self._question = json.dumps([dict(kafka), group])
        self._group = group

    def ask(self) -> GroupAnswer | None:
        """None where Kafka does not answer, or the process that asked was ended."""
        command = [sys.executable, "-P", "-m", __name__]
        try:
            done = subprocess.run(
                command,
                input=self._question,
                capture_output=True,
                text=True,
                check=True,
                timeout=_ENDS_WITHIN_S,
            )
            return msgspec.json.decode(done.stdout, type=GroupAnswer | None)
        except (OSError, subprocess.SubprocessError, ValueError) as e:
            logger.debug("nothing is known of group %s: %s", self._group, e)
            return None


def _answer(kafka: dict[str, Any], group: str) -> GroupAnswer | None:
    client = AdminClient({**kafka, "log_level": 0})
    try:
        if is_embedded(client.list_topics(events_topic(), timeout=_TIMEOUT_S).cluster_id):
            return GroupAnswer((), True)  # it does not answer what it is asked of groups
        asked = client.describe_consumer_groups(
            [group], include_authorized_operations=True, request_timeout=_TIMEOUT_S
        )
        told = asked[group].result(2 * _TIMEOUT_S)
    except KafkaException as e:
        is_denied = e.args[0].code() == KafkaError.GROUP_AUTHORIZATION_FAILED
        return GroupAnswer(None, False) if is_denied else None
    except TimeoutError:
        return None
    permitted = {operation.name for operation in told.authorized_operations or ()}
    may_read = not permitted or "READ" in permitted
    return GroupAnswer(strangers_of(told), may_read, topics_of_workers(told))


def _main() -> None:
    """Answer the question of standard input."""
    sys.stdout.buffer.write(msgspec.json.encode(_answer(*json.load(sys.stdin))))


if __name__ == "__main__":
    _main()
