"""Recorded decisions as a replay reads them: file by file, and no more of each than it needs."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from ounce_schemas.errors import ArtifactError
from ounce_schemas.routing import Choice

from ounce_edge.evidence.decision_entry import FORMAT, LogHeader
from ounce_edge.evidence.decision_files import SUFFIX, files_of
from ounce_edge.evidence.decision_reader import split_entries
from ounce_edge.evidence.senders import Sender


class RecordedDecision(msgspec.Struct, frozen=True):
    """One decision; fields as in `DecisionEntry`. What is raw is read only where it is new."""

    at_ms: float
    state: msgspec.Raw
    left_ms: bytes
    min_accuracy: bytes
    groups: list[tuple[int, Choice, bytes]]
    refused: bytes
    answered: bytes
    json_ids: msgspec.Raw
    exploration: tuple[bytes, Sequence[float]] | None = None
    overload_lasts: bool = False
    route: int = 0
    senders: bytes = b""
    new_senders: Sequence[tuple[int, Sender]] = ()
    posteriors: Sequence[tuple[float, float]] = ()


def tasks_in(folder: Path) -> list[str]:
    """Tasks that decisions are recorded of.

    Raises:
        ArtifactError: none.
    """
    names = {path.name.rsplit("-", 2)[0] for path in folder.glob(f"*-*-*{SUFFIX}")}
    if not names:
        raise ArtifactError(f"{folder}: no recorded decisions; start a worker with --decisions")
    return sorted(names)


def read_recorded(
    folder: Path, task: str
) -> Iterator[tuple[LogHeader, Iterator[RecordedDecision]]]:
    """Each file of a task: its header and its decisions. Files of another version are passed over.

    Raises:
        ArtifactError: a file is not a log of decisions.
    """
    for file in files_of(folder, task):
        try:
            parts = split_entries(memoryview(file.path.read_bytes()))
            first = next(parts, None)
            if first is None:
                continue
            if msgspec.msgpack.decode(first)["format"] != FORMAT:
                continue
            header = msgspec.msgpack.decode(first, type=LogHeader)
            yield header, map(msgspec.msgpack.Decoder(RecordedDecision).decode, parts)
        except (OSError, KeyError, TypeError, msgspec.MsgspecError) as e:
            raise ArtifactError(f"{file.path}: not a log of decisions: {e}") from e
