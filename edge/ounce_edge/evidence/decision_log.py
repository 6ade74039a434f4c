"""A compact record of decisions, from which each can be made again and explained.

A file begins with the plans as they were measured. Each further entry is of one decision: what was
believed, the requests that it considered, what was decided, and the ids of those that were answered
then. So an id is written once for each time that its request is answered, however long it waited.

Entries are MessagePack documents, each behind its length. `decision_files` says how files are named
and how many are kept. `decision_reader` reads them.
"""

import errno
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO

import msgspec
from ounce_schemas.errors import ArtifactError
from ounce_schemas.event import EventKind

from ounce_edge.evidence.decided import AnsweredIds, Decided, entry_of, framed
from ounce_edge.evidence.decision_entry import DecisionEntry, LogHeader
from ounce_edge.evidence.decision_files import KEPT, begin_file, prune
from ounce_edge.evidence.incidents import Incident
from ounce_edge.evidence.senders import SenderBook

RETRY_S = 30.0
_FULL = {errno.ENOSPC, errno.EDQUOT}
"""A disk that is full may have room again, and must not keep a worker from starting."""


class DecisionLog:
    """Writes the decisions of one task. Several workers may share a folder.

    A disk that is full or fails costs the record and nothing else: recording stops, that is told
    once, and it is tried again every `RETRY_S`.

    Args:
        folder: made if absent.
        header: what does not change.
        most_bytes: bound of the log; each of its two files has half of it.
        clock: seconds on any steady clock.

    Raises:
        ArtifactError: the folder can't be written, for another reason than that the disk is full.
    """

    def __init__(
        self,
        folder: Path,
        header: LogHeader,
        most_bytes: int = 64_000_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._header = header
        self._most_bytes = most_bytes // KEPT
        self._clock = clock
        self._encode = msgspec.msgpack.Encoder().encode
        self._writer = uuid.uuid4().hex[:8]
        self.senders = SenderBook()
        """Numbers those who send the requests that decisions are on."""
        self._written: set[int] = set()
        """Numbers of senders that the growing file tells of."""
        self._files: list[BinaryIO] = []
        """Open ones, so that they are locked; the last one grows. None while recording stands."""
        self._retry_at_s = 0.0
        self._is_stopped = False
        self._n_lost = 0
        """Decisions that were not recorded since recording stopped."""
        self._incidents: list[Incident] = []
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._begin_file()
        except OSError as e:
            if e.errno not in _FULL:
                raise ArtifactError(f"{folder}: can't write decisions: {e.strerror or e}") from e
            self._stop(e)

    def begin(self, header: LogHeader) -> None:
        """Go on in a new file: from now on decisions depend on something else."""
        self._header = header
        if self._files:
            self._or_stop(self._begin_file)

    def record(self, at_ms: float, decided: Decided, answered: AnsweredIds) -> None:
        """Write one decision, or count it as lost while recording stands; see `entry_of`."""
        if not self._files and not self._resume():
            self._n_lost += 1
            return
        entry = entry_of(at_ms, decided, answered, self.senders, self._written)
        self._or_stop(partial(self._append, entry))

    @property
    def is_stopped(self) -> bool:
        """Whether recording stands."""
        return self._is_stopped

    def take_incidents(self) -> list[Incident]:
        """That recording has stopped, or goes on; each is given once."""
        incidents, self._incidents = self._incidents, []
        return incidents

    def flush(self) -> None:
        """Let readers see what was recorded."""
        if self._files:
            self._or_stop(self._files[-1].flush)

    def close(self) -> None:
        """Write what is buffered."""
        for file in self._files:
            with suppress(OSError):  # what can't be written now never can
                file.close()
        self._files.clear()

    def _or_stop(self, write: Callable[[], None]) -> None:
        try:
            write()
        except OSError as e:
            self._stop(e)

    def _stop(self, error: OSError) -> None:
        self.close()
        if not self._is_stopped:
            text = f"decisions are not recorded in {self._folder}: {error.strerror or error}"
            self._tell(EventKind.RECORDING_STOPPED, text)
        self._is_stopped = True
        self._retry_at_s = self._clock() + RETRY_S

    def _resume(self) -> bool:
        """Whether recording goes on, where it had stopped."""
        if self._clock() >= self._retry_at_s:
            self._or_stop(self._begin_file)
        if not self._files:
            return False
        self._is_stopped = False
        text = f"decisions are recorded again in {self._folder}; {self._n_lost} were not"
        self._tell(EventKind.RECORDING_RESUMED, text)
        self._n_lost = 0
        return True

    def _tell(self, kind: EventKind, text: str) -> None:
        self._incidents.append(Incident(kind, "decisions", text))

    def _append(self, entry: DecisionEntry) -> None:
        file = self._files[-1]
        self._write(file, entry)
        if file.tell() >= self._most_bytes:
            self._begin_file()

    def _begin_file(self) -> None:
        for growing in self._files[-1:]:
            growing.flush()
        path, file = begin_file(self._folder, self._header.task, self._writer)
        self._written = set()
        try:
            self._write(file, self._header)
            file.flush()
        except OSError:  # older files hold more than this one
            path.unlink(missing_ok=True)
            with suppress(OSError):
                file.close()
            raise
        self._files.append(file)
        for old in self._files[:-KEPT]:
            old.close()
        self._files = self._files[-KEPT:]
        prune(self._folder, self._header.task, self._writer)

    def _write(self, file: BinaryIO, part: msgspec.Struct) -> None:
        file.write(framed(self._encode(part)))
