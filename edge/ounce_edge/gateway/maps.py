"""Which task and device a topic of MQTT means, and what is sent there. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

from ounce_schemas.names import TASK_NAME_PATTERN
from ounce_schemas.request import (
    HEADER_CONTENT_TYPE,
    HEADER_MAX_LATENCY_MS,
    HEADER_MIN_ACCURACY,
)
from ounce_schemas.topic_maps import MapKind, MapRule
from ounce_schemas.topics import labels_topic, requests_topic

from ounce_edge.gateway.patterns import DEVICE, NO_NAME, TASK, Pattern, Place

_MOST_DEVICE_BYTES = 256


class BadTopicError(Exception):
    """A topic that names no device, or no task that is served; the message says why."""


@dataclass(frozen=True)
class TopicMap:
    """Some topics: what `--map`, `--labels` or an entry of a map file says."""

    pattern: Pattern
    task: str | None
    """Of all its topics; None: the level `+task` names it."""
    name: str
    """As people know it, for messages."""
    kind: MapKind = MapKind.REQUESTS
    defaults: tuple[tuple[str, bytes], ...] = ()
    """Headers of messages that have none of that name."""

    @classmethod
    def parse(cls, text: str, kind: MapKind = MapKind.REQUESTS) -> Self:
        """Read `PATTERN` or `PATTERN=TASK`.

        Raises:
            ValueError: it does not say which device, and which task.
        """
        head, is_fixed, task = text.rpartition("=")
        pattern = Pattern.parse(head if is_fixed else text)
        _check(pattern, task if is_fixed else None, repr(text), "=TASK behind it")
        return cls(pattern, task if is_fixed else None, repr(text), kind)

    @classmethod
    def of_rule(cls, rule: MapRule, name: str) -> Self:
        """Of an entry of a map file.

        Raises:
            ValueError: it does not say which device, and which task.
        """
        try:
            pattern = Pattern.parse(rule.topic)
        except ValueError as e:
            raise ValueError(f"{name}: {e}") from e
        _check(pattern, rule.task, f"{name}: {rule.topic!r}", "`task:`")
        is_label = rule.kind is MapKind.LABELS
        if is_label and (rule.max_latency_ms is not None or rule.min_accuracy is not None):
            raise ValueError(f"{name}: labels have no max_latency_ms and no min_accuracy")
        defaults = (
            (HEADER_CONTENT_TYPE, rule.content_type),
            (HEADER_MAX_LATENCY_MS, rule.max_latency_ms),
            (HEADER_MIN_ACCURACY, rule.min_accuracy),
        )
        texts = ((header, f"{v:.15g}" if isinstance(v, float) else v) for header, v in defaults)
        headers = tuple((header, text.encode()) for header, text in texts if text is not None)
        return cls(pattern, rule.task, name, rule.kind, headers)

    def record_topic(self, task: str) -> str:
        """Where Kafka gets what is sent there."""
        return (labels_topic if self.kind is MapKind.LABELS else requests_topic)(task)


def _check(pattern: Pattern, task: str | None, name: str, how: str) -> None:
    if DEVICE not in pattern.levels:
        raise ValueError(f"{name} has no level {DEVICE}")
    if (TASK in pattern.levels) == (task is not None):
        raise ValueError(f"{name}: name the task by a level {TASK}, or by {how}")
    if task is not None and not re.fullmatch(TASK_NAME_PATTERN, task):
        raise ValueError(f"{name}: {task!r} is no name of a task")


def check_maps(maps: Sequence[TopicMap], tasks: Sequence[str], answers: Pattern) -> None:
    """Whether maps fit together.

    Args:
        maps: all of a gateway.
        tasks: that are served.
        answers: where answers are published.

    Raises:
        ValueError: they don't; the text says which, and why.
    """
    if not any(one.kind is MapKind.REQUESTS for one in maps):
        raise ValueError("no map of requests: give --map, such as 'sensors/+device/+task'")
    for i, one in enumerate(maps):
        if one.task is not None and one.task not in tasks:
            raise ValueError(f"{one.name} needs --task {one.task}")
        if one.pattern.overlaps(answers):
            raise ValueError(f"--answers would be read again by {one.name}")
        for other in maps[:i]:
            if one.pattern.overlaps(other.pattern):
                raise ValueError(
                    f"{other.name} and {one.name} match the same topics; a broker would send a "
                    "message twice"
                )


class Found(NamedTuple):
    """What a topic means."""

    place: Place
    by: TopicMap


class TopicMaps:
    """All maps of a gateway.

    Args:
        maps: no two match the same topic.
        tasks: that are served.
    """

    def __init__(self, maps: Sequence[TopicMap], tasks: Sequence[str]) -> None:
        self._maps = tuple(maps)
        self.tasks = frozenset(tasks)
        self.filters = [m.pattern.filter for m in maps]
        self.record_topics = {
            m.record_topic(task) for m in maps for task in ([m.task] if m.task else tasks)
        }

    def find(self, topic: str) -> Found:
        """What a topic means.

        Raises:
            BadTopicError: it names no task or device.
        """
        for map_ in self._maps:
            found = map_.pattern.match(topic)
            if found is not None:
                task, device = map_.task or found[TASK], found[DEVICE]
                if task not in self.tasks:
                    raise BadTopicError(f"task {task[:64]!r} is not among those of --task")
                if not device or NO_NAME.search(device):
                    raise BadTopicError(f"device {device[:64]!r} is empty or no plain text")
                if len(device.encode()) > _MOST_DEVICE_BYTES:
                    raise BadTopicError(f"a device's name is over {_MOST_DEVICE_BYTES} bytes")
                return Found(Place(task, device), map_)
        raise BadTopicError("no map matches it")

    def listens_to(self, topic: str) -> bool:
        """Whether what is published there comes back to the gateway."""
        return any(m.pattern.match(topic) is not None for m in self._maps)
