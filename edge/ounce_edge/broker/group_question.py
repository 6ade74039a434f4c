"""Asking Kafka about a group, by a process of its own.

Where a connection breaks while librdkafka asks for a group, it ends the process that asked:
https://github.com/confluentinc/librdkafka/pull/5397.
"""

import json
import logging
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from threading import Timer
from typing import Any

import msgspec
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from ounce_schemas.embedded_cluster import is_embedded
from ounce_schemas.topics import events_topic

from ounce_edge.broker.strangers import Stranger, strangers_of, topics_of_workers

logger = logging.getLogger(__name__)

_TIMEOUT_S = 5.0
_ANSWERS_WITHIN_S = 20.0
"""Also where it is slow to start; less than what stops a worker from being alive."""


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

    The first question starts the process. It answers until it is closed, or ends.

    Args:
        kafka: what librdkafka must be told to reach the brokers.
        group: the group's name.
    """

    def __init__(self, kafka: Mapping[str, Any], group: str) -> None:
        self._of = json.dumps([dict(kafka), group])
        self._group = group
        self._process: subprocess.Popen[str] | None = None

    def ask(self) -> GroupAnswer | None:
        """None where Kafka does not answer, or the process was ended. One thread asks at a time."""
        try:
            process = self._process = self._process or self._start()
            ending = Timer(_ANSWERS_WITHIN_S, process.kill)
            ending.start()
            try:
                print(file=process.stdin, flush=True)
                assert process.stdout is not None
                return msgspec.json.decode(process.stdout.readline(), type=GroupAnswer | None)
            finally:
                ending.cancel()
        except (OSError, ValueError) as e:
            logger.debug("nothing is known of group %s: %s", self._group, e)
            self.close()
            return None

    def ask_once(self) -> GroupAnswer | None:
        """As `ask`, for who asks seldom: the process is ended."""
        try:
            return self.ask()
        finally:
            self.close()

    def close(self) -> None:
        """End the process; who waits for its answer gets None."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            with suppress(OSError), process:  # what it was not told is lost
                pass

    def _start(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
        )
        print(self._of, file=process.stdin)
        return process


def _answer(client: AdminClient, group: str) -> GroupAnswer | None:
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
    """Standard input says whom to ask of which group, and then a line for each question."""
    kafka, group = json.loads(sys.stdin.readline())
    client = AdminClient({**kafka, "log_level": 0})
    for _ in sys.stdin:
        sys.stdout.buffer.write(msgspec.json.encode(_answer(client, group)) + b"\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _main()
