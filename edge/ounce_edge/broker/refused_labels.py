"""Keeping labels that say nothing of their task: as dead letters, where people find them."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from ounce_schemas.errors import InvalidMessageError, Reason
from ounce_schemas.label import Label
from ounce_schemas.task import TaskSpec
from ounce_schemas.topics import dead_letters_topic, requests_topic

from ounce_edge.broker.event_producer import EventProducer
from ounce_edge.broker.places import Partition
from ounce_edge.wire.dead_letters import write_letter
from ounce_edge.wire.label_formats import no_truth
from ounce_edge.wire.records import Record

Owns = Callable[[Partition], bool]
"""Whether a partition is this worker's now. Any thread may ask."""


class RefusedLabels:
    """Writes a dead letter for each label that can't be used.

    Every worker reads all labels. The one that has the partition of requests with the number of the
    label's partition writes the letter, so that there is one.

    Args:
        kafka: bootstrap servers.
        tasks: whose labels are read.
        max_message_bytes: of a dead letter.
        security: what librdkafka must be told of it.
    """

    def __init__(
        self,
        kafka: str,
        tasks: Mapping[str, TaskSpec],
        max_message_bytes: int,
        security: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self._tasks = tasks
        self._max_message_bytes = max_message_bytes
        self._make: Callable[[str], EventProducer] = lambda task: EventProducer(
            kafka, security, dead_letters_topic(task), "refused labels are not kept"
        )
        self._senders: dict[str, EventProducer] = {}
        self.owns: Owns = lambda place: False
        self.n_partitions: dict[str, int] = {}
        """Of requests, by task."""

    def why(self, task: str, label: Label) -> str | None:
        """Why a label is no truth of its task; None: it may be one."""
        return no_truth(label, self._tasks[task])

    def keep(self, task: str, record: Record, why: str) -> None:
        """Write a dead letter, if it is this worker's to write."""
        partition = (record.partition() or 0) % max(self.n_partitions.get(task, 1), 1)
        if not self.owns((requests_topic(task), partition)):
            return
        error = InvalidMessageError(Reason.BAD_LABEL, why)
        letter = write_letter(record, error, self._max_message_bytes)
        if task not in self._senders:  # most workers never need one
            self._senders[task] = self._make(task)
        self._senders[task](letter.key, letter.value, letter.headers)

    def close(self) -> None:
        """Send what is queued, if that takes no longer than a second each."""
        for sender in self._senders.values():
            sender.close()
