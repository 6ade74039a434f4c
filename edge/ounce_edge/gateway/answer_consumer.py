"""Reads Kafka's topics of answers for a group of gateways, each from where the group has got to."""

import logging
import threading
import time
from collections.abc import Iterable, Mapping, Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from ounce_schemas.topics import dead_letters_topic, predictions_topic
from ounce_schemas.wording import counted

from ounce_edge.broker.delivery.publishing import ProducerSettings

logger = logging.getLogger(__name__)

_TIMEOUT_S = 2.0
_AGAIN_S = 5.0
_LEAVE_S = 5.0
_CLOCKS_DIFFER_S = 60.0
"""An answer may be stamped by a clock that is so much behind this one."""


class AnswerConsumer:
    """No answer is passed over that comes while a member of the group lives, or after.

    Args:
        kafka: how to reach Kafka.
        group: of gateways.
        tasks: whose answers to read.
    """

    def __init__(self, kafka: ProducerSettings, group: str, tasks: Sequence[str]) -> None:
        self.topics = [
            topic(task) for task in tasks for topic in (predictions_topic, dead_letters_topic)
        ]
        self._group = f"ounce-gateway-{group}"
        self._began_ms = round((time.time() - _CLOCKS_DIFFER_S) * 1e3)
        self._is_closing = False
        self._denied_topics: frozenset[str] = frozenset()
        self._is_group_denied = False
        self._unplaced: list[TopicPartition] = []
        """Partitions that this gateway was given, while Kafka does not say where to begin."""
        self._why_unplaced = ""
        self._next_try_s = 0.0
        self._told: str | None = None
        self._consumer = Consumer(
            {
                "group.id": self._group,
                "auto.offset.reset": "earliest",  # where Kafka has dropped what was to be read
                "enable.auto.offset.store": False,
                "fetch.queue.backoff.ms": 2,
                "topic.metadata.refresh.interval.ms": 10_000,  # until a topic is seen that was not
                "log_level": 2,  # the line tells of outages
                **kafka,
            },
            logger=logger,
        )
        self._consumer.subscribe(self.topics, on_assign=self._on_assign, on_revoke=self._on_revoke)

    @property
    def trouble(self) -> str | None:
        """Why answers can't be read; None where they can."""
        denied = sorted(self._denied_topics)
        if self._is_group_denied:
            denied.append(f"group {self._group}")
        if denied:
            return (
                f"answers are not read: Kafka does not let this user read {', '.join(denied)}; "
                "grant it (docs/security.md, Rights)"
            )
        if self._unplaced:
            return f"answers are not read: Kafka does not say from where: {self._why_unplaced}"
        return None

    def read(self, n_most: int) -> list[Message]:
        """Answers that have come; takes seconds where Kafka does not say from where to read.

        Args:
            n_most: of them.
        """
        if self._unplaced and time.monotonic() >= self._next_try_s:
            self._place()
        found = []
        for message in self._consumer.consume(n_most, 0):
            error, topic = message.error(), message.topic()
            if error is None:
                found.append(message)
            elif error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED:
                self._is_group_denied = True
            elif error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED and topic is not None:
                self.note_readable({topic: False})
        if self._denied_topics:
            self.note_readable({topic: True for message in found if (topic := message.topic())})
        self._tell()
        return found

    def note_readable(self, may_read: Mapping[str, bool]) -> None:
        """Kafka says of these topics whether this user may read them; any thread may tell."""
        now = {topic: topic not in self._denied_topics for topic in self.topics} | dict(may_read)
        self._denied_topics = frozenset(topic for topic, may in now.items() if not may)

    def store(self, messages: Iterable[Message]) -> None:
        """These are done: the group goes on behind them."""
        ends = {(m.topic(), m.partition()): m for m in messages}
        for message in ends.values():
            try:
                self._consumer.store_offsets(message)
            except KafkaException as e:  # the partition went to another gateway meanwhile
                logger.debug("not stored: %s", e.args[0].str())

    def close(self) -> None:
        """Leave the group, with what was stored, unless Kafka is away: then it says nothing."""
        self._is_closing = True
        leaving = threading.Thread(target=self._consumer.close, name="leaving", daemon=True)
        leaving.start()  # the client waits for Kafka, maybe for ever
        leaving.join(_LEAVE_S)

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if self._is_closing:  # Kafka lets it in at last, and is asked for nothing any more
            return
        self._is_group_denied = False
        self._unplaced = partitions
        consumer.assign([])
        self._place()

    def _on_revoke(self, *_: object) -> None:
        self._unplaced = []

    def _place(self) -> None:
        """Begin to read what this gateway was given, or try again later."""
        try:
            known, new = starts(self._consumer, self._unplaced, self._began_ms)
            self._consumer.assign([*known, *new])
            if new:  # the next gateway of the group begins here, too
                self._consumer.store_offsets(offsets=new)
                self._consumer.commit(asynchronous=True)
        except KafkaException as e:
            self._why_unplaced = e.args[0].str()
            self._next_try_s = time.monotonic() + _AGAIN_S
        else:
            self._unplaced = []
            self._tell_expired(known)

    def _tell_expired(self, known: Iterable[TopicPartition]) -> None:
        """Log which answers Kafka has dropped before the group read them, as far as it says."""
        try:
            for at in known:
                low, _ = self._consumer.get_watermark_offsets(at, _TIMEOUT_S)
                if at.offset < low:
                    lost = f"{counted(low - at.offset, 'answer')} of {at.topic}[{at.partition}]"
                    logger.error("%s expired unread: raise the topic's retention.ms", lost)
        except KafkaException as e:  # a partition without a leader holds up no other
            logger.debug("whether answers expired is not known: %s", e.args[0].str())

    def _tell(self) -> None:
        trouble = self.trouble
        if trouble != self._told:
            self._told = trouble
            if trouble is None:
                logger.info("answers are read")
            else:
                logger.error("%s", trouble)


def starts(
    consumer: Consumer, partitions: list[TopicPartition], since_ms: int
) -> tuple[list[TopicPartition], list[TopicPartition]]:
    """Where to read partitions from: behind what the group has committed; of those without that,
    from a time on, not from where this gateway is let in: answers may come before that.

    Args:
        consumer: of the group.
        partitions: that it was given.
        since_ms: the time, in ms since 1970.

    Returns:
        Those that the group has committed, and those that it has not.

    Raises:
        KafkaException: Kafka does not say.
    """
    committed = _told(consumer.committed(partitions, _TIMEOUT_S))
    new = [p for p in committed if p.offset < 0]
    # Asked for first: what comes between both questions is behind this end.
    ends = {p: consumer.get_watermark_offsets(p, _TIMEOUT_S)[1] for p in new}
    asked = [TopicPartition(p.topic, p.partition, since_ms) for p in new]
    found = _told(consumer.offsets_for_times(asked, _TIMEOUT_S)) if asked else []
    for p in found:
        p.offset = ends[p] if p.offset < 0 else p.offset
    return [p for p in committed if p.offset >= 0], found


def _told(partitions: list[TopicPartition]) -> list[TopicPartition]:
    """Partitions as they are, unless Kafka says nothing of one."""
    for p in partitions:
        if p.error is not None:
            raise KafkaException(p.error)
    return partitions
