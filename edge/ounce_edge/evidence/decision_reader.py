"""Reading what workers recorded of their decisions."""

import heapq
from collections.abc import Iterator
from pathlib import Path

import msgspec
from ounce_schemas.errors import ArtifactError

from ounce_edge.evidence.decided import LENGTH
from ounce_edge.evidence.decision_entry import FORMAT, DecisionEntry, LogHeader
from ounce_edge.evidence.decision_files import DecisionFile, files_of

Decision = tuple[LogHeader, DecisionEntry]


def read_decisions(folder: Path, task: str) -> Iterator[Decision]:
    """Decisions of a task, of all workers that recorded in a folder, the oldest first.

    An entry that a killed worker left unfinished ends its file. Files of another version are passed
    over where others can be read.

    Raises:
        ArtifactError: there are none, a file is not a log of decisions, or all are of another
            version.
    """
    files = files_of(folder, task)
    if not files:
        raise ArtifactError(
            f"{folder}: no decisions of task {task}; start the worker with --decisions {folder}"
        )
    by_writer: dict[str, list[DecisionFile]] = {}
    other: str | None = None
    for file in files:
        format_ = _format_of(file.path)
        if format_ in (None, FORMAT):
            by_writer.setdefault(file.writer, []).append(file)
        else:
            other = f"{file.path}: has format {format_}"
    if other is not None and not by_writer:
        raise ArtifactError(
            f"{other}, and this version reads {FORMAT}; read it with the version that wrote it"
        )
    streams = [_read_all(files) for files in by_writer.values()]
    return heapq.merge(*streams, key=lambda decision: decision[1].at_ms)


class _AnyHeader(msgspec.Struct):
    """What the header of any version begins with."""

    format: int


def _format_of(path: Path) -> int | None:
    """Of a file; None: it has no header yet."""
    try:
        with path.open("rb") as file:
            length = file.read(LENGTH.size)
            header = file.read(*LENGTH.unpack(length)) if len(length) == LENGTH.size else b""
        return msgspec.msgpack.decode(header, type=_AnyHeader).format if header else None
    except (OSError, msgspec.MsgspecError) as e:
        raise ArtifactError(f"{path}: not a log of decisions: {e}") from e


def _read_all(files: list[DecisionFile]) -> Iterator[Decision]:
    for file in files:
        yield from _read(file.path)


def _read(path: Path) -> Iterator[Decision]:
    try:
        parts = split_entries(memoryview(path.read_bytes()))
        first = next(parts, None)
        if first is None:
            return
        header = msgspec.msgpack.decode(first, type=LogHeader)
        decoder = msgspec.msgpack.Decoder(DecisionEntry)
        for part in parts:
            yield header, decoder.decode(part)
    except (OSError, msgspec.MsgspecError) as e:
        raise ArtifactError(f"{path}: not a log of decisions: {e}") from e


def split_entries(content: memoryview) -> Iterator[memoryview]:
    """The parts of a file: its header, then its entries, as far as they are whole."""
    start = 0
    while start + LENGTH.size <= len(content):
        (length,) = LENGTH.unpack_from(content, start)
        start += LENGTH.size
        if start + length > len(content):
            return
        yield content[start : start + length]
        start += length
