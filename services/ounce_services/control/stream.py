"""The live stream: a sample of the newest predictions of each task, and their rates."""

import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec
from ounce_schemas.json_errors import NO_JSON
from ounce_schemas.topic_names import TaskTopic
from ounce_schemas.topics import topic_names

from ounce_services.control.following import Following, Records

_KEPT = 500
_READ_PER_POLL = 100
"""Predictions of a poll that are decoded: the others are only counted."""
WINDOW_S = 10


class Answer(NamedTuple):
    """A prediction, as far as people look at it."""

    id: str
    device: str
    plan: str
    reason: str
    latency_ms: float
    max_latency_ms: float
    deadline_met: bool
    floor_met: bool


@dataclass
class TaskStream:
    """What was seen of one task lately."""

    per_s: float = 0.0
    answers: list[Answer] = field(default_factory=list)
    """A sample, the newest first."""

    @property
    def plans(self) -> Mapping[str, float]:
        """Share of the sample that each plan answered, the greatest first."""
        counts = Counter(answer.plan for answer in self.answers)
        return {plan: n / len(self.answers) for plan, n in counts.most_common()}

    @property
    def in_time(self) -> float:
        """Share of the sample whose deadline was kept."""
        return sum(a.deadline_met for a in self.answers) / max(len(self.answers), 1)

    @property
    def floor_kept(self) -> float:
        """Share of the sample whose floor was kept."""
        return sum(a.floor_met for a in self.answers) / max(len(self.answers), 1)

    def latency_ms(self, share: float) -> float:
        """A quantile of the sample's latencies."""
        ordered = sorted(answer.latency_ms for answer in self.answers)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else 0.0


class _Parameters(msgspec.Struct):
    plan: str = ""
    reason: str = ""
    latency_ms: float = 0.0
    max_latency_ms: float = 0.0
    deadline_met: bool = False
    floor_met: bool = False


class _Prediction(msgspec.Struct):
    id: str = ""
    parameters: _Parameters = msgspec.field(default_factory=_Parameters)


_decode = msgspec.json.Decoder(_Prediction).decode


class Stream:
    """Follows the predictions of all tasks while `following` lasts.

    Args:
        connection: where Kafka is, as librdkafka wants it.
        tasks: names of the tasks; empty: all that Kafka has.
    """

    def __init__(self, connection: Mapping[str, Any], tasks: tuple[str, ...] = ()) -> None:
        self._wanted = tasks
        self._following = Following(connection, "live stream", self._topics, self._take_of)
        self._lock = threading.Lock()
        self._kept: dict[str, deque[tuple[float, Answer]]] = {}
        self._counts: dict[str, deque[tuple[float, int]]] = {}

    def tasks(self) -> list[str]:
        """Names of the tasks that Kafka has."""
        with self._lock:
            return sorted({*self._kept, *self._wanted})

    def of(self, task: str) -> TaskStream:
        """What was seen of a task in the last seconds."""
        since_s = time.monotonic() - WINDOW_S
        with self._lock:
            n = sum(n for at_s, n in self._counts.get(task, ()) if at_s >= since_s)
            kept = [a for at_s, a in self._kept.get(task, ()) if at_s >= since_s]
        return TaskStream(n / WINDOW_S, kept[::-1])

    @contextmanager
    def following(self) -> Iterator[None]:
        """Follow while the block lasts."""
        with self._following.running():
            yield

    def take(self, task: str, records: Records) -> None:
        """Take in predictions of a task, each a key and a value; foreign ones are passed over."""
        now_s = time.monotonic()
        answers = [_read(key, value) for key, value in records[-_READ_PER_POLL:]]
        with self._lock:
            kept = self._kept.setdefault(task, deque(maxlen=_KEPT))
            kept.extend((now_s, answer) for answer in answers if answer is not None)
            counts = self._counts.setdefault(task, deque(maxlen=1000))
            if records:
                counts.append((now_s, len(records)))

    def _take_of(self, topic: str, records: Records) -> None:
        if task := _task(topic):
            self.take(task, records)

    def _topics(self, names: set[str]) -> Mapping[str, None]:
        """Predictions of the tasks, from now on."""
        found: dict[str, None] = {}
        for name in names:
            task = _task(name)
            if task and (not self._wanted or task in self._wanted):
                self.take(task, [])
                found[name] = None
        return found


def _task(topic: str) -> str | None:
    return topic_names().task_of(topic, TaskTopic.PREDICTIONS)


def _read(key: bytes | None, value: bytes | None) -> Answer | None:
    try:
        found = _decode(value or b"")
    except NO_JSON:
        return None
    parameters = msgspec.structs.asdict(found.parameters)
    return Answer(found.id, (key or b"").decode(errors="replace"), **parameters)
