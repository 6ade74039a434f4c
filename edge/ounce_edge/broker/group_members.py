"""Asking Kafka who is in a group, by a process of its own.

Where a connection breaks while librdkafka asks for a group, it ends the process that asked:
https://github.com/confluentinc/librdkafka/pull/5397.
"""

import json
import logging
import subprocess
import sys
from collections.abc import Collection, Mapping
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from ounce_schemas.first_contact import is_embedded
from ounce_schemas.topics import EVENTS_TOPIC

from ounce_edge.broker.strangers import Stranger, strangers_of

logger = logging.getLogger(__name__)

_TIMEOUT_S = 5.0
_ENDS_WITHIN_S = 20.0
"""Also on a machine that is slow to start it; less than what stops a worker from being alive."""


class GroupMembers:
    """Members of a group; blocks its thread for seconds at most.

    Args:
        kafka: what librdkafka must be told to reach the brokers.
        group: the group's name.
    """

    def __init__(self, kafka: Mapping[str, Any], group: str) -> None:
        self._question = json.dumps([dict(kafka), group])
        self._group = group

    def strangers(self) -> Collection[Stranger] | None:
        """Members that are no workers; None where Kafka does not tell."""
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
            told = json.loads(done.stdout)
        except (OSError, subprocess.SubprocessError, ValueError) as e:
            logger.debug("nothing is known of group %s: %s", self._group, e)
            return None
        return told and [_stranger(*each) for each in told]


def _stranger(client_id: str, host: str, partitions: list[tuple[str, int]]) -> Stranger:
    return Stranger(client_id, host, tuple((topic, n) for topic, n in partitions))


def _main() -> None:
    """Answer the question of standard input."""
    kafka, group = json.load(sys.stdin)
    client = AdminClient({**kafka, "log_level": 0})
    try:
        if is_embedded(client.list_topics(EVENTS_TOPIC, timeout=_TIMEOUT_S).cluster_id):
            told: Collection[Stranger] | None = []  # it does not answer what it is asked of groups
        else:
            asked = client.describe_consumer_groups([group], request_timeout=_TIMEOUT_S)
            told = strangers_of(asked[group].result(2 * _TIMEOUT_S))
    except (KafkaException, TimeoutError):
        told = None
    json.dump(told and [(s.client_id, s.host, s.partitions) for s in told], sys.stdout)


if __name__ == "__main__":
    _main()
