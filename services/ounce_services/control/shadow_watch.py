"""Compares the shadow under way with what is published, as both are written."""

import copy
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from ounce_schemas.policy_history import PolicyVersion
from ounce_schemas.policy_trial import shadow_name
from ounce_schemas.topics import predictions_topic, shadow_topic

from ounce_services.control.following import Following, Records
from ounce_services.policies.shadow_comparison import Comparison
from ounce_services.policies.shadow_join import ShadowJoin

MOST_WAITING = 50_000
"""Answers of each side of a task. A shadow's answer comes a few seconds after the published one."""
LOOK_BACK_S = 60.0
"""A watch that begins while a shadow is under way reads what was answered so long before."""


class Compared(NamedTuple):
    """A shadow of one task."""

    task: str
    since_ms: int
    """When the messages were answered that are compared: from then on."""
    comparison: Comparison


class ShadowWatch:
    """Follows both topics of each task that has a shadow, while `following` lasts.

    Args:
        connection: where Kafka is, as librdkafka wants it.
        current: the version of the policy in force.
    """

    def __init__(
        self, connection: Mapping[str, Any], current: Callable[[], PolicyVersion | None]
    ) -> None:
        self._current = current
        self._lock = threading.Lock()
        self._version: PolicyVersion | None = None
        self._since_ms = 0
        self._joins: dict[str, ShadowJoin] = {}
        self._following = Following(connection, "watch on shadows", self.topics, self.take)

    @contextmanager
    def following(self) -> Iterator[None]:
        """Follow while the block lasts."""
        with self._following.running():
            yield

    def of(self, version: PolicyVersion) -> list[Compared]:
        """What was compared of the shadow of a version, by task; nothing yet where it is not the
        one that is followed."""
        with self._lock:
            if self._version is None or self._version.id != version.id:
                return []
            name = shadow_name(version)
            return [
                Compared(task, self._since_ms, copy.deepcopy(join.found.get(name)) or Comparison())
                for task, join in sorted(self._joins.items())
            ]

    def topics(self, names: set[str]) -> Mapping[str, int]:
        """Of these topics those to read, and from when on. Begins anew where another version is in
        force."""
        version = self._current()
        shadow = None if version is None else version.shadow
        if version is None or shadow is None:
            with self._lock:
                self._version, self._joins = None, {}
            return {}
        with self._lock:
            if self._version is None or self._version.id != version.id:
                begin_s = max(version.at.timestamp(), time.time() - LOOK_BACK_S)
                self._version, self._since_ms = version, int(begin_s * 1e3)
                self._joins = {task: ShadowJoin(MOST_WAITING) for task in shadow.tasks}
            since_ms = self._since_ms
        both = [f(task) for task in shadow.tasks for f in (shadow_topic, predictions_topic)]
        return {topic: since_ms for topic in both if topic in names}

    def take(self, topic: str, records: Records) -> None:
        """Take in records of a topic; those of a task without a shadow are passed over."""
        with self._lock:
            for task, join in self._joins.items():
                if topic == shadow_topic(task):
                    join.take_shadow(records)
                elif topic == predictions_topic(task):
                    join.take_published(records)
