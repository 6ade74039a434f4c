"""A compact record of decisions, from which each can be made again and explained.

A file begins with the plans as they were measured; each further entry holds what was believed at
one decision, the requests that it considered, what was decided, and the ids of those that were
answered then: each id is written once for each time that its request is answered, however long it
waited. Entries are MessagePack documents, each behind its length. A worker keeps the two newest
files, so that a log keeps to its bound.

::

    <folder>/<task>-<n>.decisions
"""

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec
import numpy as np
from ounce_schemas.errors import ArtifactError
from ounce_schemas.routing import Choice, Fallback

from ounce_edge.recommender.arrays import Floats, Items
from ounce_edge.recommender.beliefs.tables import BeliefState, Tables
from ounce_edge.recommender.beliefs.view import View
from ounce_edge.recommender.rule.exploration import Draws, decide_and_explore
from ounce_edge.recommender.rule.schedule import Schedule

FORMAT = 2
SUFFIX = ".decisions"
_LENGTH = struct.Struct("<I")


class LogHeader(msgspec.Struct, frozen=True):
    """What does not change while a worker runs."""

    format: int
    task: str
    policy_version: str
    catalogue_version: str
    fallback: Fallback
    tables: Tables


class DecisionEntry(msgspec.Struct, frozen=True):
    """One decision: all that it depended on, and the outcome."""

    at_ms: float
    """Milliseconds since 1970."""
    state: BeliefState
    n_waiting: int
    """Requests that waited; where there are very many, only some are considered."""
    left_ms: bytes
    """Time left per considered request, little-endian float64."""
    min_accuracy: bytes
    """Floor per considered request, likewise."""
    groups: list[tuple[int, Choice, bytes]]
    """Plan, reason, and requests as little-endian int32: places among the considered ones."""
    refused: bytes
    answered: bytes
    """Requests that were answered or refused then, likewise."""
    json_ids: list[bytes]
    """Their ids as JSON text."""
    exploration: tuple[bytes, Sequence[float]] | None = None
    """`Draws`, where the policy explores: bool bytes, one per considered request; accuracies."""
    overload_lasts: bool = False

    def remaining(self) -> Floats:
        """Time left per considered request, milliseconds; shape (n,)."""
        return np.frombuffer(self.left_ms, "<f8")

    def floors(self) -> Floats:
        """Floor per considered request; shape (n,)."""
        return np.frombuffer(self.min_accuracy, "<f8")

    def place_of(self, json_id: bytes) -> int | None:
        """Where an answered request is among the considered ones; None: it was not answered then.

        Args:
            json_id: its id as JSON text.
        """
        if json_id not in self.json_ids:
            return None
        return int(np.frombuffer(self.answered, "<i4")[self.json_ids.index(json_id)])

    def schedule_groups(self) -> list[tuple[int, Choice, list[int]]]:
        """Plan, reason and requests of each group, in order."""
        return [(p, c, np.frombuffer(items, "<i4").tolist()) for p, c, items in self.groups]


class DecisionLog:
    """Writes the decisions of one task.

    Args:
        folder: made if absent.
        header: what does not change.
        most_bytes: bound of the log; each of its two files has half of it.

    Raises:
        ArtifactError: the folder can't be written.
    """

    def __init__(self, folder: Path, header: LogHeader, most_bytes: int = 64_000_000) -> None:
        self._folder = folder
        self._header = header
        self._most_bytes = most_bytes // 2
        self._encode = msgspec.msgpack.Encoder().encode
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._number = max((n for n, _ in _files(folder, header.task)), default=0)
            self._file = self._next_file()
        except OSError as e:
            raise ArtifactError(f"{folder}: can't write decisions: {e.strerror or e}") from e

    def begin(self, header: LogHeader) -> None:
        """Go on in a new file: from now on decisions depend on something else.

        Raises:
            OSError: it can't be written.
        """
        self._header = header
        self._file.close()
        self._file = self._next_file()

    def record(
        self,
        at_ms: float,
        state: BeliefState,
        left_ms: Floats,
        min_accuracy: Floats,
        schedule: Schedule,
        answered: Sequence[tuple[Items, Sequence[bytes]]],
        exploration: Draws | None = None,
        overload_lasts: bool = False,
    ) -> None:
        """Write one decision.

        Args:
            at_ms: milliseconds since 1970.
            state: what was believed.
            left_ms: time left per request, shape (n,).
            min_accuracy: floor per request, shape (n,).
            schedule: what was decided.
            answered: of the schedule, what was answered or refused then: indices of requests and,
                for each of them, its id as JSON text.
            exploration: what was drawn, where the policy explores.
            overload_lasts: whether late requests had piled up.
        """
        considered = _everything_in(schedule)

        def places(items: Items) -> bytes:
            return np.searchsorted(considered, items).astype("<i4").tobytes()

        entry = DecisionEntry(
            at_ms,
            state,
            len(left_ms),
            left_ms[considered].astype("<f8").tobytes(),
            min_accuracy[considered].astype("<f8").tobytes(),
            [(g.plan, g.choice, places(g.items)) for g in schedule.groups],
            places(schedule.refused),
            b"".join([places(items) for items, _ in answered]),
            [json_id for _, json_ids in answered for json_id in json_ids],
            exploration and (exploration.chosen[considered].tobytes(), exploration.drawn),
            overload_lasts,
        )
        self._write(self._file, entry)
        if self._file.tell() >= self._most_bytes:
            self._file.close()
            self._file = self._next_file()

    def close(self) -> None:
        """Write what is buffered."""
        self._file.close()

    def flush(self) -> None:
        """Let readers see what was recorded."""
        self._file.flush()

    def _next_file(self) -> BinaryIO:
        self._number += 1
        path = self._folder / f"{self._header.task}-{self._number:06}{SUFFIX}"
        file = path.open("wb")
        self._write(file, self._header)
        for _, old in _files(self._folder, self._header.task)[:-2]:
            old.unlink(missing_ok=True)
        return file

    def _write(self, file: BinaryIO, part: msgspec.Struct) -> None:
        content = self._encode(part)
        file.write(_LENGTH.pack(len(content)))
        file.write(content)


def _everything_in(schedule: Schedule) -> Items:
    """Indices of all requests that a decision considered, ascending."""
    return np.sort(np.concatenate([schedule.refused, *(g.items for g in schedule.groups)]))


def read_decisions(folder: Path, task: str) -> Iterator[tuple[LogHeader, DecisionEntry]]:
    """Decisions of a task, oldest first. An entry that a killed worker left unfinished ends its
    file; what another version left beside newer files is passed over.

    Raises:
        ArtifactError: there are none, a file is not a log of decisions, or all are of another
            version.
    """
    files = _files(folder, task)
    if not files:
        raise ArtifactError(
            f"{folder}: no decisions of task {task}; start the worker with --decisions {folder}"
        )
    other: _OtherFormatError | None = None
    for _, path in files:
        try:
            yield from _read(path)
        except _OtherFormatError as e:
            other = e
        else:
            other = None
    if other is not None:
        raise other


class _OtherFormatError(ArtifactError):
    """A file was written by another version."""


def _read(path: Path) -> Iterator[tuple[LogHeader, DecisionEntry]]:
    try:
        content = memoryview(path.read_bytes())
        parts = _split(content)
        first = next(parts, None)
        if first is None:
            return
        header = msgspec.msgpack.decode(first, type=LogHeader)
        if header.format != FORMAT:
            raise _OtherFormatError(
                f"{path}: has format {header.format}, and this version reads {FORMAT}; read it "
                "with the version that wrote it"
            )
        decoder = msgspec.msgpack.Decoder(DecisionEntry)
        for part in parts:
            yield header, decoder.decode(part)
    except (OSError, msgspec.MsgspecError) as e:
        raise ArtifactError(f"{path}: not a log of decisions: {e}") from e


def _split(content: memoryview) -> Iterator[memoryview]:
    start = 0
    while start + _LENGTH.size <= len(content):
        (length,) = _LENGTH.unpack_from(content, start)
        start += _LENGTH.size
        if start + length > len(content):
            return
        yield content[start : start + length]
        start += length


def _files(folder: Path, task: str) -> list[tuple[int, Path]]:
    """A task's files by number, ascending."""
    found = []
    for path in folder.glob(f"{task}-*{SUFFIX}"):
        number = path.name.removeprefix(f"{task}-").removesuffix(SUFFIX)
        if number.isdigit():
            found.append((int(number), path))
    return sorted(found)


def replay(header: LogHeader, entry: DecisionEntry) -> tuple[View, Schedule]:
    """Make a recorded decision again.

    Returns:
        What was believed, and the schedule that the core gives for it today.
    """
    view = header.tables.view(entry.state)
    left_ms, floors = entry.remaining(), entry.floors()
    draws = None
    if entry.exploration is not None:
        chosen, drawn = entry.exploration
        draws = Draws(np.frombuffer(chosen, np.bool_), drawn)
    schedule = decide_and_explore(
        view, left_ms, floors, header.fallback, entry.overload_lasts, draws
    )
    return view, schedule
