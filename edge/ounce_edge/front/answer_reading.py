"""Reads the topics of answers from their ends on, outside of any group, and keeps what is waited
for."""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import cast

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition
from ounce_schemas.request import HEADER_REPLY
from ounce_schemas.topics import dead_letters_topic, predictions_topic, requests_topic

from ounce_edge.broker.delivery.publishing import ProducerSettings
from ounce_edge.front.waiting import Came, ReplyMark
from ounce_edge.wire.records import Headers

logger = logging.getLogger(__name__)

_POLL_S = 0.1
_MOST = 1000
_LOOK_S = 5.0
"""From one look at the partitions to the next, once all are read."""
_AGAIN_S = 0.5
"""The same while one of a task is not read."""
_TIMEOUT_S = 2.0
_AWAY = (KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError._ALL_BROKERS_DOWN)


class AnswerReader:
    """A thread of its own reads; the event loop is told.

    Args:
        kafka: how to reach Kafka.
        tasks: whose answers to read.
        mark: tells which answers are waited for here.
        tell: told of them, on the event loop.
    """

    def __init__(
        self,
        kafka: ProducerSettings,
        tasks: Sequence[str],
        mark: ReplyMark,
        tell: Callable[[list[Came]], None],
    ) -> None:
        self._topics = {
            task: (requests_topic(task), predictions_topic(task), dead_letters_topic(task))
            for task in tasks
        }
        self._answers = {topic for topics in self._topics.values() for topic in topics[1:]}
        self._to_look = deque(topic for topics in self._topics.values() for topic in topics)
        self._mark, self._tell = mark, tell
        self._loop = asyncio.get_running_loop()
        self.is_away = False
        """Whether Kafka did not answer when it was asked last."""
        self._n_partitions: dict[str, int] = {}
        """That are read."""
        self._why = dict.fromkeys(self._to_look, "Kafka has not been reached yet")
        """What hinders a topic; empty: nothing."""
        self._next_look_s = 0.0
        self._is_closing = False
        self._turned_s = time.monotonic()
        self._consumer = Consumer(
            {
                "group.id": "ounce-http",  # the client insists on one; it is never joined
                "auto.offset.reset": "earliest",  # of a topic that was made anew
                "enable.auto.commit": False,
                "fetch.queue.backoff.ms": 2,
                "log_level": 2,  # `trouble` tells of outages
                **kafka,
            },
            logger=logger,
        )
        self._thread = threading.Thread(target=self._run, name="answers", daemon=True)
        self._thread.start()

    @property
    def stalled_s(self) -> float:
        """How long the thread has not come round."""
        return time.monotonic() - self._turned_s

    def trouble(self, task: str) -> str | None:
        """Why a task can't be asked; None where it can."""
        return next(filter(None, (self._why[topic] for topic in self._topics[task])), None)

    def close(self) -> None:
        """End."""
        self._is_closing = True
        self._thread.join()
        self._consumer.close()

    def _run(self) -> None:
        while not self._is_closing:
            self._turned_s = time.monotonic()
            if self._turned_s >= self._next_look_s:
                self._look()
            first = self._consumer.poll(_POLL_S)
            messages = [] if first is None else [first, *self._consumer.consume(_MOST, 0)]
            came = []
            for message in messages:
                error, topic = message.error(), str(message.topic())
                if error is None:
                    headers = cast("Headers", message.headers() or [])
                    number = self._mark.read(_reply_of(headers))
                    if number is not None:
                        came.append(Came(number, message.value(), headers))
                elif error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
                    self._why[topic] = (
                        f"Kafka does not let this user read {topic} (docs/security.md, Rights)"
                    )
            if came:
                self._loop.call_soon_threadsafe(self._tell, came)

    def _look(self) -> None:
        """Look at one topic after the other: many questions at once would hold up answers."""
        topic = self._to_look[0]
        self._to_look.rotate(-1)
        try:
            self._why[topic] = self._place(topic)
            self.is_away = False
        except KafkaException as e:
            self.is_away = e.args[0].code() in _AWAY
            if self._why[topic] or not self.is_away:  # what is read is read again without a look
                self._why[topic] = str(e.args[0].str())
        is_all = not any(self._why.values())
        every_s = _LOOK_S if is_all else _AGAIN_S
        self._next_look_s = time.monotonic() + every_s / len(self._to_look)

    def _place(self, topic: str) -> str:
        """Read the partitions of a topic that are not read yet; what hinders it, or nothing."""
        found = self._consumer.list_topics(topic, _TIMEOUT_S).topics[topic]
        if found.error is not None:
            if found.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                return f"{topic} is absent: make it with `ounce topics`"
            raise KafkaException(found.error)
        n_read = self._n_partitions.get(topic, 0)
        if topic not in self._answers or len(found.partitions) <= n_read:
            return ""
        new = range(n_read, len(found.partitions))
        # A topic that has grown was asked for while it was read: nothing in it is from before.
        places = [
            TopicPartition(topic, p, OFFSET_BEGINNING if n_read else self._end(topic, p))
            for p in new
        ]
        self._consumer.incremental_assign(places)
        self._n_partitions[topic] = len(found.partitions)
        return ""

    def _end(self, topic: str, partition: int) -> int:
        return int(
            self._consumer.get_watermark_offsets(TopicPartition(topic, partition), _TIMEOUT_S)[1]
        )


def _reply_of(headers: Headers) -> bytes:
    return next((value or b"" for name, value in headers if name == HEADER_REPLY), b"")
