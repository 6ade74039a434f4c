"""Recorded decisions as a replay reads them: log by log, and no more of each than it needs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray
from ounce_schemas.errors import ArtifactError

from ounce_edge.evidence.decision_entry import FORMAT, LogHeader
from ounce_edge.evidence.decision_files import SUFFIX, files_of
from ounce_edge.evidence.decision_reader import split_entries
from ounce_edge.evidence.senders import Sender

_decode_groups = msgspec.msgpack.Decoder(list[tuple[int, str, bytes]]).decode


class RecordedDecision(msgspec.Struct, frozen=True):
    """One decision; fields as in `DecisionEntry`. What is raw is read only where it is new."""

    at_ms: float
    state: msgspec.Raw
    left_ms: bytes
    min_accuracy: bytes
    groups: msgspec.Raw
    refused: bytes
    answered: bytes
    json_ids: msgspec.Raw
    exploration: tuple[bytes, Sequence[float]] | None = None
    overload_lasts: bool = False
    route: int = 0
    senders: bytes = b""
    new_senders: Sequence[tuple[int, Sender]] = ()
    posteriors: Sequence[tuple[float, float]] = ()

    def calls(self) -> list[tuple[int, NDArray[np.int32]]]:
        """Plan and requests of each call, in order; requests by their places."""
        groups = _decode_groups(self.groups)
        return [(plan, np.frombuffer(items, "<i4")) for plan, _, items in groups]


Log = tuple[LogHeader, Iterator[RecordedDecision]]
"""What decisions have in common, and they."""


class Recording(Protocol):
    """Where decisions are recorded; its text names it."""

    def tasks(self) -> Sequence[str]:
        """Tasks that decisions are recorded of.

        Raises:
            ArtifactError: none.
        """

    def read(self, task: str) -> Iterator[Log]:
        """Logs of a task, the oldest first. Those of another version are passed over.

        Raises:
            ArtifactError: what is there is no log of decisions.
        """


def require_task(recording: Recording, task: str) -> None:
    """Check that there are decisions of a task.

    Raises:
        ArtifactError: there are of others alone, which it names; or of none.
    """
    there = recording.tasks()
    if task not in there:
        raise ArtifactError(
            f"{recording}: no decisions of task {task}; there are those of {', '.join(there)}"
        )


@dataclass(frozen=True)
class FolderRecording:
    """A folder that workers recorded decisions in."""

    folder: Path

    def __str__(self) -> str:
        return str(self.folder)

    def tasks(self) -> Sequence[str]:
        """See `Recording`."""
        names = {path.name.rsplit("-", 2)[0] for path in self.folder.glob(f"*-*-*{SUFFIX}")}
        if not names:
            raise ArtifactError(
                f"{self.folder}: no recorded decisions; start a worker with --decisions"
            )
        return sorted(names)

    def read(self, task: str) -> Iterator[Log]:
        """See `Recording`."""
        for file in files_of(self.folder, task):
            try:
                content = file.path.read_bytes()
            except OSError as e:
                raise ArtifactError(f"{file.path}: not a log of decisions: {e}") from e
            yield from logs_in(content, str(file.path))


def logs_in(content: bytes, where: str) -> Iterator[Log]:
    """The log that a file or a record holds; none where it holds nothing, or is of another version.

    Raises:
        ArtifactError: it holds something else; `where` names it.
    """
    parts = split_entries(memoryview(content))
    try:
        first = next(parts, None)
        if first is None or msgspec.msgpack.decode(first)["format"] != FORMAT:
            return
        header = msgspec.msgpack.decode(first, type=LogHeader)
    except (KeyError, TypeError, msgspec.MsgspecError) as e:
        raise ArtifactError(f"{where}: not a log of decisions: {e}") from e
    yield header, _entries(parts, where)


def _entries(parts: Iterator[memoryview], where: str) -> Iterator[RecordedDecision]:
    try:
        yield from map(msgspec.msgpack.Decoder(RecordedDecision).decode, parts)
    except msgspec.MsgspecError as e:
        raise ArtifactError(f"{where}: not a log of decisions: {e}") from e
