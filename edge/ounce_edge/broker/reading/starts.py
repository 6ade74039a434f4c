"""Where reading of a partition begins, and what is to be told of that.

The client resets nothing by itself (`auto.offset.reset=error`), since it tells nobody what that
costs: requests that expired, or requests that are answered again.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import NamedTuple

from confluent_kafka import OFFSET_INVALID, Consumer, KafkaError, TopicPartition
from ounce_schemas.errors import BrokerError

from ounce_edge.broker.broker_view import BrokerView, Marks, SilentBrokerError
from ounce_edge.broker.places import Partition, place_of
from ounce_edge.broker.reading.answer_search import AnswerSearch
from ounce_edge.broker.reading.answered import KnownAnswers
from ounce_edge.broker.reading.no_offsets import NoOffsets
from ounce_edge.broker.reading.offset_note import OffsetNote

_TIMEOUT_S = 10.0
_UNREADABLE = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.TOPIC_AUTHORIZATION_FAILED)


@dataclass(frozen=True, slots=True)
class Start:
    """Where reading of one partition begins."""

    offset: int | None
    """None: the group's offset could not be asked for; the client asks again."""
    n_expired: int = 0
    """Requests before it that nobody answered, and that are gone."""
    foreign: int | None = None
    """An offset of the group that is not of this topic. It was committed for another topic of the
    same name, or lies beyond the end: the topic was made again, or cut."""
    n_kept: int | None = None
    """Where the group has no offset of the topic: how many requests the partition holds."""
    answered: KnownAnswers | None = None
    """What of them is answered, where that was searched for."""
    topic_id: str | None = None
    """Of the topic that is read, where the broker tells; another one of its name has another."""
    attempts: int = 0
    """Owners in a row that began there, and ended before they had committed a later offset."""
    end: int | None = field(default=None, compare=False)
    """Where the partition ended, where that was told."""

    @property
    def is_chosen(self) -> bool:
        """Whether it is another one than the group's offset."""
        return self.n_expired > 0 or self.foreign is not None or self.n_kept is not None


class Starts:
    """Finds out where to begin, by the group's offsets and by what the broker keeps.

    For the consumer's thread, also within a rebalance. There the consumer must not be asked for
    metadata: its client ends the process at the next thing that it tells.

    Args:
        view: of the broker; a client of its own.
        when_none: what to do where the group has no offset of any partition of a topic. A partition
            without one beside others that have is new, and read from its beginning.
        is_eager: whether a rebalance gives all partitions at once, rather than those that move.
        answers: finds what is answered, where that is where to begin.
        now: the time.
    """

    def __init__(
        self,
        view: BrokerView,
        when_none: NoOffsets,
        is_eager: bool,
        answers: AnswerSearch | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._view = view
        self._when_none = when_none
        self._is_eager = is_eager
        self._answers = answers
        self._now = now

    def find(
        self,
        consumer: Consumer,
        places: Collection[Partition],
        missed: Mapping[Partition, int] = MappingProxyType({}),
    ) -> dict[Partition, Start]:
        """Where to begin reading these.

        Args:
            consumer: of the group.
            places: the partitions.
            missed: offsets that were to be read next, and that a partition does not have; of the
                others the group's offset counts.

        Raises:
            BrokerError: there are no committed offsets, and then the worker is to stop.
            KafkaException: Kafka does not tell what has to be known.
            SilentBrokerError: likewise.
        """
        marks = self._view.marks(places)
        if missed.keys() - marks.keys():  # to begin at the group's offset repeats what was taken
            raise SilentBrokerError("the broker does not tell what it keeps")
        topic_ids = self._view.topic_ids({topic for topic, _ in places})
        starts, without = dict[Partition, Start](), list[Partition]()
        found = _committed(consumer, places)
        found |= {place: Committed(offset) for place, offset in missed.items()}
        for place, (offset, (topic_id, attempts)) in found.items():
            if offset is None or (offset < 0 and place not in marks):
                starts[place] = Start(None)
            elif offset < 0:
                without.append(place)
            elif place not in marks:
                starts[place] = Start(offset)
            elif topic_id and topic_ids.get(place[0], topic_id) != topic_id:
                starts[place] = Start(marks[place].low, foreign=offset)
            else:
                begun = start_at(offset, marks[place])
                starts[place] = begun if begun.is_chosen else replace(begun, attempts=attempts)
        for topic in {topic for topic, _ in without}:
            mine = [place for place in without if place[0] == topic]
            starts |= self._without_offsets(consumer, topic, mine, marks)
        return {
            place: replace(
                start,
                topic_id=topic_ids.get(place[0]),
                end=marks[place].end if place in marks else None,
            )
            for place, start in starts.items()
        }

    def unreadable(self, topics: Collection[str]) -> str | None:
        """Why one of these topics can't be read any more; None: nothing speaks against it."""
        for topic in sorted(topics):
            try:
                error = self._view.topic(topic).error
            except SilentBrokerError:
                return None
            if error is not None and error.code() in _UNREADABLE:
                return f"can't read {topic}: {error.str()}"
        return None

    def begin(self, consumer: Consumer, starts: Mapping[Partition, Start]) -> None:
        """Within a rebalance: begin reading partitions that are new here."""
        assign = consumer.assign if self._is_eager else consumer.incremental_assign
        assign([_at(place, start.offset) for place, start in starts.items()])

    def begin_again(
        self,
        consumer: Consumer,
        starts: Mapping[Partition, Start],
        others: Mapping[Partition, int | None],
    ) -> None:
        """Read partitions on that the client gave up; only assigning them does that.

        Args:
            consumer: has them.
            starts: where to begin.
            others: the next offset to read of all other partitions that it has.
        """
        again = [_at(place, start.offset) for place, start in starts.items()]
        if self._is_eager:
            consumer.assign(again + [_at(place, offset) for place, offset in others.items()])
        else:
            consumer.incremental_unassign(again)
            consumer.incremental_assign(again)

    def _without_offsets(
        self,
        consumer: Consumer,
        topic: str,
        places: Collection[Partition],
        marks: Mapping[Partition, Marks],
    ) -> dict[Partition, Start]:
        everywhere = [(topic, partition) for partition in self._view.topic(topic).partitions]
        is_new = any(
            offset is None or offset >= 0 for offset, _ in _committed(consumer, everywhere).values()
        )
        if self._answers is not None:
            return self._behind_answers(self._answers, topic, {p: marks[p] for p in places}, is_new)
        if is_new:
            return {place: Start(marks[place].low, n_kept=0) for place in places}
        kept = {place: marks[place].n_kept for place in places}
        if self._when_none.fixed == "stop" and any(kept.values()):
            raise BrokerError(
                f"the group has no committed offsets of {topic}, which holds requests: it is new, "
                "or its offsets expired; set --when-no-offsets to beginning, end, answered, a time "
                "or an age"
            )
        offsets = self._chosen(consumer, places, marks)
        return {place: Start(offsets[place], n_kept=kept[place]) for place in places}

    def _behind_answers(
        self,
        answers: AnswerSearch,
        topic: str,
        marks: Mapping[Partition, Marks],
        is_new: bool,
    ) -> dict[Partition, Start]:
        found = answers.find(topic, marks)
        return {
            place: Start(known.start, n_kept=0 if is_new else marks[place].n_kept, answered=known)
            for place, known in found.items()
        }

    def _chosen(
        self, consumer: Consumer, places: Collection[Partition], marks: Mapping[Partition, Marks]
    ) -> dict[Partition, int]:
        since_ms = self._when_none.since_ms(self._now())
        if since_ms is not None:
            asked = [TopicPartition(topic, partition, since_ms) for topic, partition in places]
            found = consumer.offsets_for_times(asked, timeout=_TIMEOUT_S)
            offsets = {place_of(at): at.offset for at in found}
            return {p: at if at >= 0 else marks[p].end for p, at in offsets.items()}
        if self._when_none.fixed == "end":
            return {place: marks[place].end for place in places}
        return {place: marks[place].low for place in places}


def start_at(offset: int, marks: Marks) -> Start:
    """Reading goes on at `offset`, as far as the partition still has it."""
    if offset < marks.low:
        return Start(marks.low, n_expired=marks.low - offset)
    if offset > marks.end:
        return Start(marks.low, foreign=offset)
    return Start(offset)


class Committed(NamedTuple):
    """What a group has committed of one partition."""

    offset: int | None
    """Negative where there is none, None where that is not told now."""
    note: OffsetNote = OffsetNote()


def _committed(consumer: Consumer, places: Collection[Partition]) -> dict[Partition, Committed]:
    asked = [TopicPartition(topic, partition) for topic, partition in places]
    return {
        place_of(at): Committed(at.offset, OffsetNote.parse(at.metadata))
        if at.error is None
        else Committed(None)
        for at in consumer.committed(asked, timeout=_TIMEOUT_S)
    }


def _at(place: Partition, offset: int | None) -> TopicPartition:
    return TopicPartition(*place, OFFSET_INVALID if offset is None else offset)
