"""The pipelines of all tasks of a worker, served in turn."""

import math
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from confluent_kafka import TopicPartition
from ounce_schemas.topics import requests_topic

from ounce_edge.broker.places import Partition
from ounce_edge.evidence.incidents import Incident
from ounce_edge.pipeline.lanes import Lanes
from ounce_edge.pipeline.pipeline import Pipeline
from ounce_edge.pipeline.reports import Report
from ounce_edge.pipeline.turn import Turn
from ounce_edge.wire.records import Publish, Record

_SLICE_SHARE = 0.1
_OVERHEADS = 4.0
"""A slice is at least as long as so many groups take beside their calls."""
_LONGEST_SLICE_MS = 100.0


class ToConfirm(NamedTuple):
    """What was answered since the last time."""

    offsets: list[TopicPartition]
    """Up to these all is answered."""
    reports: list[Report]


class Tasks:
    """Admits records and answers them, and keeps what is to be confirmed.

    Args:
        pipelines: one for each task.
        lanes: those of the pipelines.
        least_slice_ms: compute between two looks for newer requests, at least.
        publish: takes answers and dead letters.
        learn: called before each turn, for labels to be learned from.
        tell: called with a task and what its people should know.
    """

    def __init__(
        self,
        pipelines: Iterable[Pipeline],
        lanes: Lanes,
        least_slice_ms: float,
        publish: Publish,
        learn: Callable[[], None],
        tell: Callable[[str, Incident], None],
    ) -> None:
        self._pipelines = {requests_topic(p.task.name): p for p in pipelines}
        self._lanes = lanes
        self._least_slice_ms = least_slice_ms
        self._publish = publish
        self._learn = learn
        self._tell = tell
        self._offsets: dict[Partition, int] = {}
        self._topic_ids: dict[Partition, str | None] = {}
        self._reports: list[Report] = []
        self._has_published = False
        self.handed_over: dict[Partition, int] = {}
        """Latest offset that `take_answered` gave since reading of a partition began, if it did."""

    @property
    def is_news(self) -> bool:
        """Whether something was published or answered in full since `take_answered`."""
        return self._has_published or bool(self._offsets)

    def take_answered(self) -> ToConfirm:
        """What was answered since the last call."""
        offsets = [
            TopicPartition(*place, offset, self._topic_ids.get(place) or "")
            for place, offset in self._offsets.items()
        ]
        answered = ToConfirm(offsets, self._reports)
        self.handed_over.update(self._offsets)
        self._offsets, self._reports, self._has_published = {}, [], False
        return answered

    def begin(self, topic_ids: Mapping[Partition, str | None]) -> None:
        """Partitions that are read from now on, of topics with these ids. They are committed with
        the offsets: those of a topic that was deleted are not of another one of its name."""
        self._topic_ids.update(topic_ids)
        for place in topic_ids:
            self.handed_over.pop(place, None)

    def admit(self, records: Sequence[Record]) -> None:
        """Take records; those that can't be served become dead letters at once."""
        for topic, of_topic in self._by_topic(records).items():
            self._keep(topic, self._pipelines[topic].admit(of_topic, self._publish))

    def reach_ends(self, ends: Mapping[Partition, int]) -> None:
        """All that can be read of these partitions was admitted, up to these offsets."""
        for (topic, partition), offset in ends.items():
            answered = self._pipelines[topic].reach_end(partition, offset)
            self._offsets.update({(topic, p): o for p, o in answered.items()})

    def answer_some(self, turn: Turn) -> None:
        """One slice of work for each task that has any, as long as `slice_ms`; others' slices are
        added to what the turn reserves."""
        self._learn()
        busy = [(topic, p) for topic, p in self._pipelines.items() if not p.due_in_s()]
        busy.sort(key=lambda each: each[1].took_lane_at_s)  # a free lane goes to each in turn
        n_waiting = sum(len(pipeline.waiting) > 0 for _, pipeline in busy)
        slice_ms = self.slice_ms
        others_ms = turn.reserve_ms + slice_ms * max(n_waiting - 1, 0)
        turn = turn._replace(slice_ms=slice_ms, reserve_ms=others_ms)
        for topic, pipeline in busy:
            self._keep(topic, pipeline.step(self._publish, turn))

    def answer_all(self, until_s: float, reserve_ms: float = 0.0) -> bool:
        """Answer all that is open, and take nothing new meanwhile. Blocks.

        Args:
            until_s: when to stop, on the clock of `time.monotonic`.
            reserve_ms: as in `Turn`.

        Returns:
            Whether all is answered.
        """
        turn = Turn(reserve_ms=reserve_ms, keep_free=False)
        while (due_in_s := self.due_in_s()) < math.inf:
            left_s = until_s - time.monotonic()
            if left_s <= 0:
                return False
            self._lanes.wait(min(due_in_s, left_s))
            self.answer_some(turn)
        return True

    def due_in_s(self) -> float:
        """Seconds until a task has something to do; infinite when nothing is open."""
        return min(pipeline.due_in_s() for pipeline in self._pipelines.values())

    @property
    def n_open(self) -> int:
        """Requests that are not answered yet."""
        return sum(pipeline.n_open for pipeline in self._pipelines.values())

    @property
    def n_bytes(self) -> int:
        """Bytes that they hold."""
        return sum(pipeline.n_bytes for pipeline in self._pipelines.values())

    @property
    def all_late(self) -> bool:
        """Whether no request waits that can still be answered in time."""
        return not any(pipeline.any_timely for pipeline in self._pipelines.values())

    @property
    def tightest_ms(self) -> float:
        """The tightest deadline of the requests of all tasks that came lately."""
        return min(pipeline.tightest_ms for pipeline in self._pipelines.values())

    @property
    def slice_ms(self) -> float:
        """Longest time between two looks for newer requests: of its deadline each waits for at most
        so much, if it is like the latest. A shorter slice than some groups' overhead is spent on
        that."""
        overhead_ms = max(p.edition.plans.overhead.group_ms for p in self._pipelines.values())
        share_ms = max(_SLICE_SHARE * self.tightest_ms, _OVERHEADS * overhead_ms)
        return max(self._least_slice_ms, min(share_ms, _LONGEST_SLICE_MS))

    def drop(self, partitions: Collection[TopicPartition]) -> int:
        """Others own these: what waits is theirs to answer, what was answered theirs to commit.

        Returns:
            How many requests were dropped.
        """
        n_dropped = 0
        for topic, pipeline in self._pipelines.items():
            lost = [p.partition for p in partitions if p.topic == topic]
            if lost:
                n_dropped += pipeline.drop(lost)
            for partition in lost:
                self._offsets.pop((topic, partition), None)
        return n_dropped

    def forget_ids(self) -> None:
        """What was answered lately is answered again: it is no repetition."""
        for pipeline in self._pipelines.values():
            pipeline.forget_ids()

    def _keep(self, topic: str, report: Report) -> None:
        for incident in report.incidents:
            self._tell(report.task, incident)
        self._reports.append(report)
        self._offsets.update({(topic, p): o for p, o in report.next_offsets.items()})
        self._has_published |= bool(report.groups or report.rejected)

    def _by_topic(self, records: Sequence[Record]) -> Mapping[str, Sequence[Record]]:
        if len(self._pipelines) == 1:
            return dict.fromkeys(self._pipelines, records)
        found: dict[str, list[Record]] = {}
        for record in records:
            found.setdefault(str(record.topic()), []).append(record)
        return found
