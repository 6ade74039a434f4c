"""Reading back which kept requests have an answer, where a group lost its offsets."""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, NamedTuple, cast

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from ounce_schemas.at_hand import take_at_hand
from ounce_schemas.dead_letter import HEADER_OFFSET, HEADER_PARTITION, HEADER_TOPIC
from ounce_schemas.errors import BrokerError
from ounce_schemas.json_errors import NO_JSON
from ounce_schemas.request import HEADER_ID
from ounce_schemas.topics import dead_letters_topic, predictions_topic, requests_topic

from ounce_edge.broker.broker_view import BrokerView, Marks, SilentBrokerError
from ounce_edge.broker.places import Partition
from ounce_edge.broker.reading.answered import AnsweredRuns, AnswerNames, KnownAnswers
from ounce_edge.wire.records import Columns, Record
from ounce_edge.wire.requests.decoding import Decoder

logger = logging.getLogger(__name__)

SEARCH_SETTINGS: dict[str, str | int | float | bool] = {
    "group.id": "ounce-answers",  # the client insists on one; it is never joined
    "enable.auto.commit": False,
    "auto.offset.reset": "error",
    "allow.auto.create.topics": False,
    "enable.partition.eof": True,
    "isolation.level": "read_committed",  # what was aborted is no answer
    "fetch.queue.backoff.ms": 2,
    "queued.max.messages.kbytes": 16_384,  # bounds memory
    "check.crcs": False,
    "log_level": 2,
}
LONGEST_S = 20.0
"""Less than what health takes for a standstill. Half of it is for the answers."""
MOST_ANSWERS = 1_000_000
"""Eight bytes each are held, three times while they are sorted."""
_PER_REQUEST = 4
"""Offsets that one answer takes: a transaction of one record has a marker, and some come twice."""
_AT_LEAST = 10_000
_BATCH = 2000
_WAIT_S = 0.2
_TIMEOUT_S = 10.0


class _Answer(msgspec.Struct):
    """The part of a prediction that says what it is of."""

    id: str


class Span(NamedTuple):
    """Offsets to read."""

    start: int
    end: int
    """Behind the last one."""


class AnswerSearch:
    """Holds the answers that are kept against the requests that are kept.

    For one thread. Bounded in time and memory: what is not looked at counts as not answered.

    Args:
        kafka: how to reach it, as librdkafka takes it.
        view: of the broker.
        decoders: read requests, by task.
        longest_s: time that a search may take in all tasks, in seconds.
        most_answers: latest answers that are looked at.
    """

    def __init__(
        self,
        kafka: Mapping[str, Any],
        view: BrokerView,
        decoders: Mapping[str, Decoder],
        longest_s: float = LONGEST_S,
        most_answers: int = MOST_ANSWERS,
    ) -> None:
        self._settings = {**SEARCH_SETTINGS, **kafka}
        self._view = view
        self._tasks = {requests_topic(task): (task, decoder) for task, decoder in decoders.items()}
        self._longest_s = longest_s / len(self._tasks)
        self._most_answers = most_answers

    def find(self, topic: str, kept: Mapping[Partition, Marks]) -> dict[Partition, KnownAnswers]:
        """What is answered of the requests in these partitions of a topic.

        Args:
            topic: of the requests.
            kept: the partitions, and where they begin and end.

        Raises:
            BrokerError: Kafka does not let this worker read the answers.
            KafkaException: Kafka does not tell.
            SilentBrokerError: likewise.
        """
        task, decoder = self._tasks[topic]
        began_s = time.monotonic()
        names = AnswerNames(topic)
        runs = {place: AnsweredRuns(marks.low) for place, marks in kept.items()}
        with closing(Consumer(self._settings)) as consumer:
            reading = _Reading(consumer)
            spans = self._spans_of_answers(consumer, task)
            for messages in reading.read(spans, began_s + self._longest_s / 2):
                _add_answers(names, topic, messages)
            n_answers, is_whole = len(names), reading.is_done
            spans = {place: Span(marks.low, marks.stable_end) for place, marks in kept.items()}
            for messages in reading.read(spans, began_s + self._longest_s):
                _hold_against(names, decoder, messages, runs)
        logger.info(
            "searched task=%s answers=%d seconds=%.1f complete=%s",
            task,
            n_answers,
            time.monotonic() - began_s,
            "yes" if is_whole and reading.is_done else "no",
        )
        return {
            place: runs[place].result(marks.stable_end, is_whole and place not in reading.left)
            for place, marks in kept.items()
        }

    def _spans_of_answers(self, consumer: Consumer, task: str) -> dict[Partition, Span]:
        """Where the latest answers are, as many as there can be of the requests that are kept, in
        whatever partition."""
        asked = self._marks(consumer, requests_topic(task))
        answers = {
            **self._marks(consumer, predictions_topic(task)),
            **self._marks(consumer, dead_letters_topic(task)),
        }
        most = _PER_REQUEST * sum(marks.n_kept for marks in asked.values()) + _AT_LEAST
        most = min(most, self._most_answers // len(answers))
        return {
            place: Span(max(marks.low, marks.stable_end - most), marks.stable_end)
            for place, marks in answers.items()
        }

    def _marks(self, consumer: Consumer, topic: str) -> Mapping[Partition, Marks]:
        partitions = consumer.list_topics(topic, _TIMEOUT_S).topics[topic].partitions
        found = self._view.marks([(topic, partition) for partition in partitions])
        if len(found) < len(partitions):
            raise SilentBrokerError(f"the broker does not tell where {topic} ends")
        return found


class _Reading:
    """Reads spans of partitions."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        self.left: dict[Partition, int] = {}
        """Partitions that are not read to the end of their span, and that end."""

    @property
    def is_done(self) -> bool:
        return not self.left

    def read(self, spans: Mapping[Partition, Span], until_s: float) -> Iterator[Sequence[Message]]:
        """Records of these spans, until a time on the clock of `time.monotonic`."""
        self.left = {place: span.end for place, span in spans.items() if span.start < span.end}
        self._consumer.assign([TopicPartition(*place, spans[place].start) for place in self.left])
        while self.left and time.monotonic() < until_s:
            records = []
            for message in take_at_hand(self._consumer, _BATCH, _WAIT_S):
                place = message.topic() or "", message.partition() or 0
                offset, error = message.offset() or 0, message.error()
                if error is not None and error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED:
                    continue  # the group is never joined
                if error is not None and error.code() != KafkaError._PARTITION_EOF:
                    _raise(error, place)
                if error is None and offset < self.left.get(place, -1):
                    records.append(message)
                if offset + (error is None) >= self.left.get(place, offset + 2):
                    del self.left[place]
            if records:
                yield records


def _raise(error: KafkaError, place: Partition) -> None:
    if error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
        raise BrokerError(
            f"can't read {place[0]}, which --when-no-offsets=answered needs: {error.str()}; grant "
            "this user Read on it (docs/security.md, Rights)"
        )
    raise KafkaException(error)


def _add_answers(names: AnswerNames, topic: str, messages: Sequence[Message]) -> None:
    """Answers; whatever else is in their topics says nothing of a request."""
    for message in messages:
        if str(message.topic()).endswith(".predictions"):
            id_ = _id_of_answer(message)
            if id_ is not None:
                names.add(id_, message.key())
            continue
        headers = dict(cast("Record", message).headers() or ())
        place = [headers.get(name) or b"" for name in (HEADER_PARTITION, HEADER_OFFSET)]
        if headers.get(HEADER_TOPIC) == topic.encode() and all(map(bytes.isdigit, place)):
            names.add_position(*map(int, place))


def _id_of_answer(message: Message) -> str | None:
    """The id of an answer in any form; None where it has none, as raw answers to bare records."""
    header = dict(cast("Record", message).headers() or ()).get(HEADER_ID)
    if header:
        return header.decode(errors="replace")
    try:
        found = msgspec.json.decode(message.value() or b"", type=_Answer | list[_Answer])
    except NO_JSON:
        return None
    if isinstance(found, _Answer):
        return found.id
    return found[0].id.removesuffix("/0") if found else None  # flat, one object a row


def _hold_against(
    names: AnswerNames,
    decoder: Decoder,
    messages: Sequence[Message],
    runs: Mapping[Partition, AnsweredRuns],
) -> None:
    records = cast("Sequence[Record]", messages)
    batch, _ = decoder.decode(Columns.of(records), time.time() * 1e3)
    json_ids = batch.whole_ids()
    for i, row in enumerate(batch.rows or ()):
        if row is not None:
            json_ids[i] = row.of.json_id
    ids = {
        id(record): (msgspec.json.decode(json_id, type=str), key)
        for record, json_id, key in zip(batch.records, json_ids, batch.keys, strict=True)
    }
    places = [(record.partition() or 0, record.offset() or 0) for record in records]
    taken = names.take(places, [ids.get(id(record)) for record in records])
    for record, (partition, offset), is_answered in zip(records, places, taken, strict=True):
        runs[str(record.topic()), partition].add(offset, is_answered)
