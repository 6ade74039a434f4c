"""Reading labels, on a thread of its own and without a consumer group.

A label is of use only to the worker that gave its answer. Nobody knows which one that was, so every
worker reads all labels of its tasks. Labels are optional: whatever goes wrong here leaves serving
alone.
"""

import logging
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from time import monotonic
from types import MappingProxyType
from typing import Any, cast

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition
from ounce_schemas.label import KEY_ERRORS, MOST_LABEL_BYTES, Label, LabelOutcome
from ounce_schemas.request import HEADER_ID, HEADER_SOURCE
from ounce_schemas.topics import labels_topic, requests_topic
from ounce_schemas.wording import counted

from ounce_edge.broker.link import reader_settings
from ounce_edge.broker.places import Partition
from ounce_edge.broker.refused_labels import RefusedLabels
from ounce_edge.wire.label_formats import decode_labels
from ounce_edge.wire.records import Record

logger = logging.getLogger(__name__)

LABEL_CONSUMER_SETTINGS: dict[str, str | int | float | bool] = {
    "group.id": "ounce-labels",  # the client insists on one; it is never joined
    "enable.auto.commit": False,
    "auto.offset.reset": "earliest",  # where labels expired unread, or the topic was made again
    "allow.auto.create.topics": False,
    "queued.min.messages": 1000,
    "queued.max.messages.kbytes": 4096,  # bounds what a backlog holds in memory
    "check.crcs": False,
    "log_level": 2,  # the consumer of requests tells of outages
}
_BATCH = 1000
_BATCH_WAIT_S = 0.25
"""How long a read waits for a full batch: labels are in no hurry, and waking up costs serving."""
_LOOK_AGAIN_S = 30.0
"""From one look for topics and partitions that were absent to the next."""
_FAILED_AGAIN_S = 5.0
_TIMEOUT_S = 5.0


def read_labels(record: Record) -> list[Label]:
    """The labels that a record holds, each with its id.

    Raises:
        ValueError: it holds none; the text says why.
    """
    value = record.value()
    if value is None:
        raise ValueError("it has no value")
    if len(value) > MOST_LABEL_BYTES:
        raise ValueError(
            f"its value has {counted(len(value), 'byte')}, more than {MOST_LABEL_BYTES}"
        )
    return [_with_sender(label, record) for label in decode_labels(value)]


def _with_sender(label: Label, record: Record) -> Label:
    headers, key = dict(record.headers() or ()), record.key()
    if not label.id:
        id_, source = headers.get(HEADER_ID), headers.get(HEADER_SOURCE)
        if not id_ or len(id_) > MOST_LABEL_BYTES:
            raise ValueError(f"neither its value nor its header {HEADER_ID} holds an id")
        label.id = id_.decode()
        if source and not label.source:
            label.source = source.decode()
    if key and label.device is None:
        label.device = key.decode(errors=KEY_ERRORS)
    for name, text in (("source", label.source), ("key", label.device)):
        if text and len(text) > MOST_LABEL_BYTES:
            raise ValueError(f"its {name} has {len(text)} characters, more than {MOST_LABEL_BYTES}")
    return label


class LabelReader:
    """Reads the labels topics of some tasks, from where they end when it starts; a partition that
    is made later from its beginning.

    Another thread may call its methods.

    Args:
        kafka: bootstrap servers.
        tasks: names of the tasks.
        fetch_wait_ms: longest time the broker may hold a fetch that finds nothing.
        bound: most labels of one task that wait to be drained; the oldest make room.
        security: what librdkafka must be told of it.
        refused: keeps labels that can't be used; None: they are only counted.
    """

    def __init__(
        self,
        kafka: str,
        tasks: Iterable[str],
        *,
        fetch_wait_ms: int = 500,
        bound: int = 16_384,
        security: Mapping[str, Any] = MappingProxyType({}),
        refused: RefusedLabels | None = None,
    ) -> None:
        self._refused = refused
        self._settings = {
            **LABEL_CONSUMER_SETTINGS,
            "bootstrap.servers": kafka,
            **security,
            **reader_settings(fetch_wait_ms),
        }
        self._tasks = {labels_topic(task): task for task in tasks}
        self._lock = threading.Lock()
        self._arrived: dict[str, deque[Label]] = {
            task: deque(maxlen=bound) for task in self._tasks.values()
        }
        self._losses: defaultdict[str, Counter[LabelOutcome]] = defaultdict(Counter)
        self._told: set[str] = set()
        self._stopping = threading.Event()
        self._reading = threading.Event()
        self._thread = threading.Thread(target=self._run, name="labels", daemon=True)
        self._thread.start()

    def drain(self) -> dict[str, list[Label]]:
        """What came since the last call, by task; tasks without labels are absent."""
        if not any(self._arrived.values()):
            return {}
        with self._lock:
            drained = {task: list(labels) for task, labels in self._arrived.items() if labels}
            for task in drained:
                self._arrived[task].clear()
        return drained

    def take_losses(self) -> Mapping[str, Mapping[LabelOutcome, int]]:
        """By task, records since the last call that `drain` did not and will not give:
        undecodable ones, and those dropped because nobody drained."""
        if not self._losses:
            return {}
        with self._lock:
            losses, self._losses = self._losses, defaultdict(Counter)
        return losses

    def wait_until_reading(self, timeout_s: float) -> bool:
        """Whether within `timeout_s` it knows from where to read: what is published after is read.

        Topics that are absent count as known.
        """
        return self._reading.wait(timeout_s)

    def close(self) -> None:
        """Stop reading. Returns at once unless the broker lets a request wait."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with closing(Consumer(self._settings)) as consumer:
                    self._read(consumer)
            except KafkaException as e:
                self._warn_once("kafka", f"no labels for now, trying again: {e.args[0].str()}")
            except Exception:  # without this the thread would end, and nobody would know
                logger.exception("no labels for now, trying again")
            self._stopping.wait(_FAILED_AGAIN_S)

    def _read(self, consumer: Consumer) -> None:
        found = self._partitions(consumer)
        ends = [
            TopicPartition(*p, consumer.get_watermark_offsets(TopicPartition(*p), _TIMEOUT_S)[1])
            for p in found
        ]
        consumer.incremental_assign(ends)
        self._reading.set()
        look_again_s = monotonic() + _LOOK_AGAIN_S
        while not self._stopping.is_set():
            messages = consumer.consume(_BATCH, _BATCH_WAIT_S)
            # Errors carry no record, and librdkafka recovers from them by itself.
            records = [message for message in messages if message.error() is None]
            if records:
                self._take(cast("Sequence[Record]", records))
            if monotonic() >= look_again_s:
                found |= self._read_what_is_new(consumer, found)
                look_again_s = monotonic() + _LOOK_AGAIN_S

    def _read_what_is_new(self, consumer: Consumer, known: set[Partition]) -> set[Partition]:
        """Read partitions that are there now and were not known, and give them back."""
        try:
            new = self._partitions(consumer) - known
        except KafkaException as e:  # a consumer that outlives the outage goes on where it was
            logger.debug("no look for new partitions: %s", e.args[0].str())
            return set()
        consumer.incremental_assign([TopicPartition(*place, OFFSET_BEGINNING) for place in new])
        return new

    def _partitions(self, consumer: Consumer) -> set[Partition]:
        """Those that are there now."""
        found = consumer.list_topics(timeout=_TIMEOUT_S).topics
        if self._refused is not None:
            sizes = {t: found.get(requests_topic(t)) for t in self._tasks.values()}
            self._refused.n_partitions = {t: len(s.partitions) for t, s in sizes.items() if s}
        for topic in sorted(self._tasks.keys() - found.keys()):
            self._warn_once(topic, f"no topic {topic}: nothing is learned from labels")
        present = self._tasks.keys() & found.keys()
        return {(topic, p) for topic in present for p in found[topic].partitions}

    def _take(self, records: Sequence[Record]) -> None:
        labels: defaultdict[str, list[Label]] = defaultdict(list)
        losses: defaultdict[str, Counter[LabelOutcome]] = defaultdict(Counter)
        for record in records:
            task = self._tasks[str(record.topic())]
            try:
                found = read_labels(record)
                labels[task] += found
                if self._refused is not None and (why := self._why_invalid(task, found)):
                    self._refused.keep(task, record, why)
            except Exception as e:  # whatever a record holds costs this record only
                losses[task][LabelOutcome.UNDECODABLE] += 1
                if self._refused is not None:
                    self._refused.keep(task, record, f"not a label: {e}")
                self._warn_once(
                    f"undecodable {task}",
                    f"not a label: {record.topic()}[{record.partition()}] at {record.offset()}: "
                    f"{' '.join(str(e).split())}; others are only counted",
                )
        with self._lock:
            for task, counts in losses.items():
                self._losses[task] += counts
            for task, arrived in labels.items():
                waiting = self._arrived[task]
                too_many = len(waiting) + len(arrived) - (waiting.maxlen or 0)
                if too_many > 0:
                    self._losses[task][LabelOutcome.DROPPED] += too_many
                waiting.extend(arrived)

    def _why_invalid(self, task: str, labels: Sequence[Label]) -> str | None:
        """What is wrong with the first of a record's labels that is no truth; None: all may be."""
        assert self._refused is not None
        whys = (self._refused.why(task, label) for label in labels)
        return next(filter(None, whys), None)

    def _warn_once(self, about: str, text: str) -> None:
        if about not in self._told:
            self._told.add(about)
            logger.warning("%s", text)
