"""Owners of a partition that ended where they had begun: counted in Kafka, and ended by isolation.

A message on which a model crashes, or never returns, ends each owner of its partition, one after
the other. So who begins to read where requests wait notes that beside the committed offset. Each
commit of a later offset drops the note, and who gives the partition up in order takes it back.
"""

import logging
from collections.abc import Collection, Mapping

from confluent_kafka import Consumer, KafkaException, TopicPartition

from ounce_edge.broker.places import Partition
from ounce_edge.broker.reading.offset_note import OffsetNote
from ounce_edge.broker.reading.starts import Start
from ounce_edge.models.runtimes.isolation import Isolation
from ounce_edge.worker.reading.news import ReadingNews

logger = logging.getLogger(__name__)

ISOLATE_FROM = 2
"""Owners in a row that ended: one of them may have been killed by anybody."""
MOST_ATTEMPTS = 999
"""More are not counted."""
_BLAME_S = 3.0
_QUIET_S = 300.0
"""Isolation lasts so long after a crash: the next such message would cost further owners."""


class Attempts:
    """For the consumer's thread.

    Args:
        isolation: of the models.
        news: tells people of it.
        most_open: offsets behind the committed one that an owner may have had open.
    """

    def __init__(self, isolation: Isolation, news: ReadingNews, most_open: int) -> None:
        self._isolation, self._news, self._most_open = isolation, news, most_open
        self._consumer: Consumer | None = None
        self._noted: dict[Partition, Start] = {}
        """Where reading of partitions began that have a note of ours."""
        self._until: dict[Partition, int] = {}
        """Offsets up to which what ended the owners before may lie."""

    def begin(self, consumer: Consumer, starts: Mapping[Partition, Start]) -> Collection[Partition]:
        """Reading begins: note it, and isolate the models where owners before ended there.

        Returns:
            Partitions whose start is committed by that.
        """
        self._consumer = consumer
        known = {place: start for place, start in starts.items() if start.offset is not None}
        waiting = {p: s for p, s in known.items() if s.end is None or s.end > (s.offset or 0)}
        notes = {
            place: (start, min(start.attempts + 1, MOST_ATTEMPTS) if place in waiting else 0)
            for place, start in known.items()
            if place in waiting or start.is_chosen
        }
        fatal = {place: start for place, start in waiting.items() if start.attempts >= ISOLATE_FROM}
        for place, start in fatal.items():
            open_end = (start.offset or 0) + self._most_open
            self._until[place] = open_end if start.end is None else min(start.end, open_end)
        if fatal:
            self._isolation.begin()
            self._news.tell_isolated(fatal)
        if not _commit(consumer, [_with_note(p, *noted) for p, noted in notes.items()]):
            return ()
        self._noted |= waiting
        return notes.keys()

    def give_back(self, consumer: Consumer, places: Collection[Partition]) -> None:
        """These are given up in order, and no later offset is committed: take the note back."""
        offsets = [
            _with_note(place, self._noted[place], self._noted[place].attempts)
            for place in places
            if place in self._noted
        ]
        _commit(consumer, offsets)

    def blame(self) -> None:
        """This owner ends, since a call does not return: whoever goes on where it has requests open
        isolates the models at once. On any thread; may take some seconds."""
        if (consumer := self._consumer) is None:
            return
        try:
            ours = consumer.assignment()
            places = zip(consumer.committed(ours, _BLAME_S), consumer.position(ours), strict=True)
        except KafkaException as e:
            logger.warning("can't note what does not return: %s", e.args[0].str())
            return
        notes = [
            TopicPartition(at.topic, at.partition, at.offset, note._replace(attempts=most).text)
            for at, read in places
            if 0 <= at.offset < read.offset
            for note in [OffsetNote.parse(at.metadata)]
            for most in [max(note.attempts, ISOLATE_FROM)]
        ]
        _commit(consumer, notes)

    def forget(self, places: Collection[Partition]) -> None:
        """Others own these."""
        for place in places:
            self._noted.pop(place, None)
            self._until.pop(place, None)

    def look(self, answered: Mapping[Partition, int]) -> None:
        """Now and then: end the isolation, once what ended the owners before is behind us.

        Args:
            answered: offsets up to which all is answered since reading began.
        """
        isolation = self._isolation
        if (failure := isolation.failure) is not None:
            isolation.failure = None
            self._news.tell_isolation_failed(failure)
        if not isolation.is_on:
            return
        self._until = {p: end for p, end in self._until.items() if answered.get(p, -1) < end}
        if not self._until and (not isolation.n_crashes or isolation.quiet_s >= _QUIET_S):
            n_crashes = isolation.n_crashes
            isolation.end()
            self._news.tell_isolation_over(n_crashes)


def _with_note(place: Partition, start: Start, attempts: int) -> TopicPartition:
    return TopicPartition(*place, start.offset or 0, OffsetNote(start.topic_id, attempts).text)


def _commit(consumer: Consumer, offsets: list[TopicPartition]) -> bool:
    """Commit, and wait until that is answered; whether it is done."""
    if not offsets:
        return True
    try:
        told = consumer.commit(offsets=offsets, asynchronous=False)
    except KafkaException as e:
        logger.warning("can't note where reading begins: %s", e.args[0].str())
        return False
    return all(at.error is None for at in told or ())
