"""Putting releases in service: from a folder, or what serves without some models."""

import getpass
import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ounce_schemas.errors import ArtifactError, OunceError
from ounce_schemas.model_store import ModelStore
from ounce_schemas.release import InService, Release, ReleasedFile

from ounce_services.registry.contents import Contents
from ounce_services.registry.store import find_release, is_signed_by, joined, write_release
from ounce_services.registry.topic import ServedModels

_TRIES = 3


@dataclass(frozen=True)
class Registry:
    """A store, and the topic that says what of it serves.

    Attributes:
        store: of releases.
        topic: says which serve.
        key: private key that signs new releases; None: they are not signed.
        author: written into releases.
        note: likewise.
    """

    store: ModelStore
    topic: ServedModels
    key: Path | None = None
    author: str = ""
    note: str = ""

    def publish(self, contents: Contents) -> tuple[InService, Release]:
        """Put a folder's models in service: those of a whole task in place of what serves, a single
        one beside the others.

        Raises:
            ArtifactError: it is of another signature than what serves, or the store takes none.
            BrokerError: Kafka does not take it.
        """
        new = contents.released()

        def files(served: Release | None) -> Sequence[ReleasedFile]:
            if served is None or contents.is_whole:
                return new
            _check_same_task(served, new)
            return joined(new, served.files)

        return self._change(contents.task.name, files, contents)

    def retire(self, task: str, models: Sequence[str]) -> tuple[InService, Release]:
        """Take models of a task out of service.

        Raises:
            ArtifactError: they do not serve, or no model would be left.
        """

        def files(served: Release | None) -> Sequence[ReleasedFile]:
            names = served.models if served is not None else {}
            unknown = sorted(set(models) - names.keys())
            if served is None or unknown:
                raise ArtifactError(
                    f"task {task} has no model {', '.join(unknown)} in service; "
                    f"it has {', '.join(names) or 'none'}"
                )
            if not names.keys() - set(models):
                raise ArtifactError(
                    f"no model of task {task} would be left; publish another one first"
                )
            return joined((), served.files, models)

        return self._change(task, files)

    def restore(self, task: str, digest: str) -> tuple[InService, Release]:
        """Put a release that the store holds in service again.

        Raises:
            ArtifactError: the store has it not.
        """
        release = find_release(self.store, task, digest)
        return self._put(task, digest), release

    def served(self, task: str) -> tuple[InService | None, Release | None]:
        """What serves of a task."""
        record = self.topic.read().get(task)
        if record is None:
            return None, None
        return record, find_release(self.store, task, record.release)

    def _change(
        self,
        task: str,
        files: Callable[[Release | None], Sequence[ReleasedFile]],
        contents: Contents | None = None,
    ) -> tuple[InService, Release]:
        """Make a release of what serves, and put it in service. Where somebody else put another one
        in service meanwhile, it is made anew of that one."""
        for _ in range(_TRIES):
            record = self.topic.read().get(task)
            served = None if record is None else self._held(task, record.release, contents)
            parent = record.release if record is not None else None
            release = Release(
                task=task,
                files=tuple(files(served)),
                created=datetime.now(UTC).replace(microsecond=0),
                author=self.author or _user(),
                note=self.note,
                parent=parent,
            )
            if (
                record is not None
                and served is not None
                and served.files == release.files
                and (self.key is None or is_signed_by(self.store, served, record.release, self.key))
            ):
                return record, served
            digest = hashlib.sha256(release.to_bytes()).hexdigest()
            held = contents.files if contents is not None else {}
            write_release(self.store, release, held, digest, self.key)
            now = self.topic.read().get(task)
            if (now.release if now is not None else None) == parent:
                return self._put(task, digest, now), release
        raise OunceError(f"others keep changing the models of task {task}: try again")

    def _held(self, task: str, digest: str, contents: Contents | None) -> Release | None:
        """What serves; None where the store has it not, and all of it is replaced anyway."""
        try:
            return find_release(self.store, task, digest)
        except ArtifactError as e:
            if contents is not None and contents.is_whole:
                return None
            raise ArtifactError(
                f"{e}, which serves: name the store that holds it, or publish the folder of the "
                "whole task"
            ) from e

    def _put(self, task: str, digest: str, before: InService | None = None) -> InService:
        before = before or self.topic.read().get(task)
        record = InService(
            task=task,
            release=digest,
            number=before.number + 1 if before is not None else 1,
            author=self.author or _user(),
            at_ms=int(time.time() * 1e3),
        )
        self.topic.put(record)
        return record


def _check_same_task(served: Release, new: Sequence[ReleasedFile]) -> None:
    digests = {f.place: f.sha256 for f in (*served.files, *new) if f.place == "task.json"}
    of_served = {f.place: f.sha256 for f in served.files}
    if digests != {"task.json": of_served["task.json"]}:
        raise ArtifactError(
            "its task.json is not the one that serves: publish the folder of the whole task"
        )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without a name for its user
        return "unknown"
