"""Replaying decisions while workers record them."""

from dataclasses import dataclass
from pathlib import Path

import msgspec
from ounce_schemas.errors import ArtifactError
from ounce_schemas.policy import Policy

from ounce_edge.dry_run.foresight import Foresight
from ounce_edge.dry_run.recorded import RecordedDecision
from ounce_edge.dry_run.replay import FileReplay, Replay
from ounce_edge.evidence.decided import LENGTH
from ounce_edge.evidence.decision_entry import FORMAT, LogHeader
from ounce_edge.evidence.decision_files import files_of
from ounce_edge.evidence.decision_reader import split_entries

_decode = msgspec.msgpack.Decoder(RecordedDecision).decode


@dataclass
class _Reader:
    """How far one file is read."""

    counts: bool
    """Whether its decisions count; those that were there at the start do not."""
    at: int = 0
    replay: FileReplay | None = None
    is_other: bool = False
    """It is of another version."""


class LiveReplay:
    """Follows the files of one task: what is recorded from now on is replayed. Only files are read:
    nothing is answered, nothing committed.

    Args:
        policy: the other policy.
        folder: that workers record decisions in.
        task: its name.
    """

    def __init__(self, policy: Policy, folder: Path, task: str) -> None:
        self._folder = folder
        self._task = task
        self._files: dict[Path, _Reader] = {}
        self._replay = Replay(policy, task)
        self._read(counts=False)

    def look(self) -> Foresight:
        """Replay what was recorded since the last look.

        Returns:
            What was found since the start.

        Raises:
            ArtifactError: a file is not a log of decisions.
            PolicyError: the policy leaves messages without a plan.
        """
        self._read(counts=True)
        return self._replay.foresight()

    def _read(self, counts: bool) -> None:
        files = [file.path for file in files_of(self._folder, self._task)]
        self._files = {path: self._files.get(path, _Reader(counts)) for path in files}
        for path, reader in self._files.items():
            try:
                self._read_on(path, reader)
            except FileNotFoundError:  # pruned meanwhile
                continue
            except (OSError, KeyError, TypeError, msgspec.MsgspecError) as e:
                raise ArtifactError(f"{path}: not a log of decisions: {e}") from e
            reader.counts = True

    def _read_on(self, path: Path, reader: _Reader) -> None:
        """Take the entries that are whole by now."""
        if reader.is_other:
            return
        with path.open("rb") as file:
            file.seek(reader.at)
            content = file.read()
        for part in split_entries(memoryview(content)):
            reader.at += LENGTH.size + len(part)
            if reader.replay is None:
                reader.is_other = msgspec.msgpack.decode(part)["format"] != FORMAT
                if reader.is_other:
                    return
                header = msgspec.msgpack.decode(part, type=LogHeader)
                reader.replay = self._replay.open(header)
            elif reader.counts:
                reader.replay.replay(_decode(part))
            else:
                reader.replay.pass_over(_decode(part))
