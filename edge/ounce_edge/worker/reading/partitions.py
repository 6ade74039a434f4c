"""The partitions that are ours: they come and go, are read, and their offsets are committed."""

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress

from confluent_kafka import Consumer, KafkaException, TopicPartition
from ounce_schemas.errors import BrokerError, OunceError

from ounce_edge.broker.places import Partition, place_of, place_of_record
from ounce_edge.broker.reading.answered import KnownAnswers
from ounce_edge.broker.reading.positions import Positions
from ounce_edge.broker.reading.starts import Start, Starts
from ounce_edge.telemetry.health import Health
from ounce_edge.wire.records import Record
from ounce_edge.worker.reading.attempts import Attempts
from ounce_edge.worker.reading.commits import Commits
from ounce_edge.worker.reading.news import ReadingNews
from ounce_edge.worker.reading.rereading import Rereading, show
from ounce_edge.worker.serving.serving import Serving

logger = logging.getLogger(__name__)

_LAG_EVERY_S = 1.0
_AGAIN_S = 1.0
"""From one try to read a partition again to the next."""
_HANGS_S = 10.0
"""A call that lasts so long may never return."""


class Partitions:
    """What is read of our partitions, and what is committed.

    At least once, what the broker holds all answers to is committed here; exactly-once it is
    committed with the answers, and after an abort read again.

    All of it is for the consumer's thread, between or within its polls, but where it says other.

    Args:
        serving: answers what is read; its delivery knows what may be committed.
        starts: knows where to begin.
        attempts: counts owners that ended there.
        news: tells people of it, and shows the lag.
        health: is told of partitions and progress.
        fail: called with an error that ends the worker.
    """

    def __init__(
        self,
        serving: Serving,
        starts: Starts,
        attempts: Attempts,
        news: ReadingNews,
        health: Health,
        fail: Callable[[OunceError], None],
    ) -> None:
        self._serving = serving
        self._delivery = delivery = serving.delivery
        self._starts = starts
        self._news = news
        self._health = health
        self._fail = fail
        self._attempts = attempts
        self._commits = Commits(delivery)
        self._assigned: set[Partition] = set()
        self._lag_due_s = self._again_due_s = 0.0
        self._topic_ids: dict[Partition, str | None] = {}
        self._answered: dict[Partition, KnownAnswers] = {}
        """Requests that were answered before, behind others that were not."""
        self._ends: dict[Partition, int] = {}
        """Ends that were reached and are not handed to serving yet."""
        self.positions = Positions()
        """Where reading stands; any thread may look."""
        self._rereading = Rereading(serving, starts, self.positions, fail)

    @property
    def topics(self) -> Collection[str]:
        """Those that are read; on any thread."""
        return self._serving.tasks

    def owns(self, place: Partition) -> bool:
        """Whether a partition is ours now; on any thread."""
        return place in self._assigned

    def look_after(self, consumer: Consumer) -> None:
        """Between two polls: read again what failed, now and then commit, and look at the lag."""
        now_s = time.monotonic()
        self._delivery.follow(consumer)
        if self._rereading.is_due and now_s >= self._again_due_s:
            self._again_due_s = now_s + _AGAIN_S
            if recreated := self._rereading.read_anew(consumer, self._assigned):
                self._commits.disown([TopicPartition(*place) for place in recreated])
                self._begin_anew(recreated)
            self._begin_anew(self._rereading.read_missed(consumer, self._assigned))
        if self._delivery.is_aborted:
            self._rereading.rewind(consumer, self._assigned)
        else:
            self._commits.start(consumer, self._assigned)
        if now_s >= self._lag_due_s:
            self._lag_due_s = now_s + _LAG_EVERY_S
            self.positions.follow(consumer)
            self._news.show_lag(self._lag(consumer))
            self._serving.tell()
            self._attempts.look(self._serving.handed_over)

    def on_end(self, place: Partition, offset: int) -> None:
        """All that can be read of it was taken, up to this offset; on the event loop."""
        if self.positions.reach_end(place, offset):
            self._ends[place] = offset

    def take_ends(self) -> Mapping[Partition, int]:
        """Ends that were reached since the last call; on the event loop."""
        ends, self._ends = self._ends, {}
        return {place: offset for place, offset in ends.items() if place in self._assigned}

    def unanswered(self, records: Sequence[Record]) -> Sequence[Record]:
        """Those of a poll that are not known to be answered; on the event loop."""
        if not self._answered:
            return records
        return [
            record
            for record in records
            if (known := self._answered.get(place_of_record(record))) is None
            or (record.offset() or 0) not in known
        ]

    def on_reset(self, place: Partition, offset: int) -> None:
        """The client gave it up: it does not have this offset; on the event loop."""
        self._rereading.note_missed(place, offset)

    def topic_id(self, topic: str) -> str | None:
        """Id of the topic of this name that is read, where it is known; on any thread."""
        return next((id_ for (t, _), id_ in [*self._topic_ids.items()] if t == topic), None)

    def read_anew(self, topic: str, topic_id: str) -> None:
        """It was made again, with this id: read it from its beginning; on any thread."""
        self._rereading.note_recreated(topic, topic_id)

    def on_commit(self, was_refused: bool) -> None:
        """A commit is answered."""
        self._commits.end(was_refused)

    def on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """These are ours now, too."""
        self._delivery.follow(consumer)  # the generation is another one now
        places = [place_of(at) for at in partitions]
        starts = self._rereading.find_starts(consumer, places)
        if starts is None:
            starts = {place: Start(None) for place in places}
        if starts:
            self._starts.begin(consumer, starts)
        self._assigned |= starts.keys()
        self._begin(starts, self._attempts.begin(consumer, starts))
        self._health.partitions = len(self._assigned)
        self._health.group_trouble = None
        self._health.progressed()
        logger.info("assigned partitions=%s", show(places))

    def on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """The next owner starts at the committed offset: commit all that was answered first."""
        try:
            self._serving.finish()
            self._serving.drop(partitions)
            self._commits.finish(consumer, self._assigned)
            left = {place_of(at) for at in partitions} - self._serving.handed_over.keys()
            if self._serving.lanes.longest_s < _HANGS_S:  # else the next owner may hang, too
                self._attempts.give_back(consumer, left)
        except OunceError as e:
            self._fail(e)
        self._give_up(partitions, "revoked")

    def on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Others own them already, and nothing of them can be committed. Or their topic can't be
        read any more, which ends the worker."""
        self._serving.drop(partitions)
        self._give_up(partitions, "lost")
        why = self._starts.unreadable({at.topic for at in partitions})
        if why is not None:
            self._fail(BrokerError(why))
            with suppress(KafkaException):  # it is being closed, and leaves the group anyhow
                # Closed after this, it would leave without a word, and the group would wait for it.
                consumer.unsubscribe()

    def wait_for_commit(self, timeout_s: float) -> None:
        """Return once a commit under way is answered: a consumer that is closed before may leave
        its group without a word. On any thread but the consumer's."""
        self._commits.answered.wait(timeout_s)

    def forget(self) -> None:
        """The consumer was stopped: none is ours; on any thread."""
        self.positions.forget(self._assigned)
        self._rereading.forget(self._assigned)
        self._attempts.forget(self._assigned)
        self._assigned.clear()
        self._health.partitions = 0

    def _give_up(self, partitions: list[TopicPartition], how: str) -> None:
        gone = [place_of(at) for at in partitions]
        self._assigned -= {*gone}
        self._commits.disown(partitions)
        self.positions.forget(gone)
        self._rereading.forget(gone)
        self._attempts.forget(gone)
        self._health.partitions = len(self._assigned)
        logger.info("%s partitions=%s", how, show(gone))

    def _begin_anew(self, starts: Mapping[Partition, Start]) -> None:
        """Elsewhere than where it was noted."""
        self._attempts.forget(starts.keys())
        self._begin(starts)

    def _begin(
        self, starts: Mapping[Partition, Start], committed: Collection[Partition] = ()
    ) -> None:
        if not starts:
            return
        self.positions.begin({place: start.offset for place, start in starts.items()})
        self._topic_ids |= {place: start.topic_id for place, start in starts.items()}
        self._serving.begin({place: self._topic_ids[place] for place in starts})
        # Committed at once: a worker that ends before its first answer goes on here, too.
        self._ends |= {
            place: start.offset
            for place, start in starts.items()
            if start.is_chosen and start.offset is not None and place not in committed
        }
        for place, start in starts.items():
            if start.is_chosen:
                self._answered.pop(place, None)
            if start.answered is not None and start.answered.later:
                self._answered[place] = start.answered
        self._news.tell_starts(starts)

    def _lag(self, consumer: Consumer) -> dict[Partition, int]:
        """Records between where reading stands and the end, as of the last fetch: no request is
        made."""
        lag = {}
        for place, at in self.positions.known().items():
            marks = consumer.get_watermark_offsets(TopicPartition(*place), cached=True)
            if marks is not None and marks[1] >= 0:
                lag[place] = max(marks[1] - at, 0)
        return lag
