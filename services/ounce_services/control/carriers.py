"""What takes records of the outbox to Kafka, and finds out whether they are there already."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from confluent_kafka import Message
from ounce_schemas.errors import PolicyError
from ounce_schemas.policy_history import PolicyHistory, PolicyVersion, read_version
from ounce_schemas.release import read_in_service
from ounce_schemas.topics import canaries_topic, shadow_topic

from ounce_services.control.store.outbox import Fate, Record, State
from ounce_services.policies.canary_state import refuse_second_canary
from ounce_services.registry.topic import ServedModels


class Policies(Protocol):
    """The topic of policies."""

    def history(self) -> PolicyHistory:
        """All versions."""

    def write(self, version: PolicyVersion) -> None:
        """Write one."""

    def read(self, topic: str) -> Iterable[Message]:
        """Records of another topic."""

    def make_topics(self, names: Iterable[str]) -> None:
        """Make other topics that are not there."""


@dataclass(frozen=True)
class PolicyCarrier:
    """Takes versions of the policy."""

    topic: Policies

    def carry(self, record: Record) -> Fate:
        """See `Carrier`."""
        version = read_version(record.payload.encode())
        history = self.topic.history()
        written = history.versions.get(version.number)
        if written is not None and written.id == version.id:
            return Fate(State.IN_FORCE)
        number = history.current.number if history.current is not None else 0
        if number != version.base:
            by = f" {history.current.made()}" if history.current is not None else ""
            return Fate(State.REFUSED, f"version {number} is in force{by}, not {version.base}")
        try:
            refuse_second_canary(self.topic, history, version)
            if version.canary is not None:
                self.topic.make_topics([canaries_topic()])
            if version.shadow is not None:
                self.topic.make_topics(map(shadow_topic, version.shadow.tasks))
            self.topic.write(version)
        except PolicyError as e:
            return Fate(State.REFUSED, str(e))
        return Fate(State.IN_FORCE)


@dataclass(frozen=True)
class ModelsCarrier:
    """Takes which release serves."""

    open_topic: Callable[[], ServedModels]

    def carry(self, record: Record) -> Fate:
        """See `Carrier`."""
        served = read_in_service(record.subject, record.payload.encode())
        topic = self.open_topic()
        now = topic.read().get(served.task)
        if now == served:
            return Fate(State.IN_FORCE)
        number = now.number if now is not None else 0
        if number != served.number - 1:
            by = f" by {now.author}" if now is not None else ""
            return Fate(State.REFUSED, f"number {number} serves{by}, not {served.number - 1}")
        topic.put(served)
        return Fate(State.IN_FORCE)
