"""Releases of models: read from their store, put in service through the outbox."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ounce_schemas.errors import ArtifactError
from ounce_schemas.model_store import ModelStore
from ounce_schemas.release import InService, Release, signature_path

from ounce_services.control.errors import NotFoundError, RefusedError, StaleError
from ounce_services.control.store.outbox import Fate, Outbox, State, models_record
from ounce_services.registry.publishing import Registry
from ounce_services.registry.store import find_release, whole_digest
from ounce_services.registry.topic import ServedModels


class Put(NamedTuple):
    """What became of a change."""

    served: InService
    release: Release
    state: State


class Shown(NamedTuple):
    """A release and what is known of it."""

    digest: str
    release: Release
    is_signed: bool
    serves: bool


@dataclass
class _ThroughOutbox:
    """The topic of models, written through the outbox."""

    topic: ServedModels
    outbox: Outbox
    base: int
    """Number that must serve before the change."""
    fate: Fate = field(default=Fate(State.IN_FORCE))

    def read(self) -> dict[str, InService]:
        """What serves, by task."""
        return self.topic.read()

    def check(self, task: str) -> None:
        """Refuse a change that comes too late, before anything is made for it.

        Raises:
            StaleError: another number than `base` serves.
        """
        now = self.read().get(task)
        if now is not None:
            self._check(task, now.number)

    def put(self, served: InService) -> None:
        """Put a release in service.

        Raises:
            StaleError: another number than `base` serves.
        """
        self._check(served.task, served.number - 1)
        record = models_record(served.task, served.number, served.model_dump_json())
        self.fate = self.outbox.send(record)
        if self.fate.state is State.REFUSED:
            raise StaleError(self.fate.reason)

    def _check(self, task: str, number: int) -> None:
        if number != self.base:
            raise StaleError(f"number {number} of task {task} serves, not {self.base}")


class ModelBook:
    """Reads and changes which models serve.

    Args:
        open_topic: opens the topic that says what serves.
        outbox: takes changes.
        store: of releases; None: only what serves can be told.
        key: private key that signs new releases.
    """

    def __init__(
        self,
        open_topic: Callable[[], ServedModels],
        outbox: Outbox,
        store: str | None,
        key: Path | None = None,
    ) -> None:
        self._open_topic = open_topic
        self._outbox = outbox
        self._store = store
        self._key = key

    def serving(self) -> dict[str, InService]:
        """What serves, by task.

        Raises:
            BrokerError: Kafka does not tell.
        """
        return self._open_topic().read()

    def releases(self, task: str | None = None) -> dict[str, list[Shown]]:
        """What the store holds, by task, the newest first."""
        store, serving = self._open_store(), self.serving()
        tasks = store.names("releases") if task is None else [task]
        return {
            name: sorted(
                (self._shown(store, name, digest, serving) for digest in
                 store.names(f"releases/{name}")),
                key=lambda shown: shown.release.created,
                reverse=True,
            )
            for name in tasks
        }  # fmt: skip

    def release(self, task: str, start: str) -> Shown:
        """One release, named by the first digits of its digest.

        Raises:
            NotFoundError: there is none, or several begin so.
        """
        store = self._open_store()
        return self._shown(store, task, self._digest(store, task, start), self.serving())

    def restore(self, task: str, start: str, base: int, author: str) -> Put:
        """Put a release that the store holds in service.

        Raises:
            NotFoundError: there is none, or several begin so.
            StaleError: another number than `base` serves.
        """
        registry, topic = self._registry(base, author)
        served, release = registry.restore(task, self._digest(registry.store, task, start))
        return Put(served, release, topic.fate.state)

    def retire(self, task: str, models: list[str], base: int, author: str) -> Put:
        """Take models out of service.

        Raises:
            RefusedError: they do not serve, or none would be left.
            StaleError: another number than `base` serves.
        """
        registry, topic = self._registry(base, author)
        topic.check(task)
        try:
            served, release = registry.retire(task, models)
        except ArtifactError as e:
            raise RefusedError(str(e)) from e
        return Put(served, release, topic.fate.state)

    def _registry(self, base: int, author: str) -> tuple[Registry, _ThroughOutbox]:
        topic = _ThroughOutbox(self._open_topic(), self._outbox, base)
        return Registry(self._open_store(), topic, self._key, author), topic

    def _open_store(self) -> ModelStore:
        if self._store is None:
            raise NotFoundError(
                "no store of models is known here: start `ounce control serve` with --store URL"
            )
        return ModelStore(self._store)

    @staticmethod
    def _digest(store: ModelStore, task: str, start: str) -> str:
        try:
            return whole_digest(store, task, start)
        except ArtifactError as e:
            raise NotFoundError(str(e)) from e

    @staticmethod
    def _shown(store: ModelStore, task: str, digest: str, serving: dict[str, InService]) -> Shown:
        now = serving.get(task)
        return Shown(
            digest,
            find_release(store, task, digest),
            store.has(signature_path(digest)),
            now is not None and now.release == digest,
        )
