"""Files of recorded decisions: each belongs to one writer, who locks it for as long as it lives.

::

    <folder>/<task>-<number>-<writer>.decisions
"""

import fcntl
import re
from pathlib import Path
from typing import BinaryIO, NamedTuple

SUFFIX = ".decisions"
KEPT = 2
"""Files of one writer, of which the newer one grows."""


class DecisionFile(NamedTuple):
    """One file; they sort as they were begun."""

    number: int
    writer: str
    """Eight hexadecimal digits."""
    path: Path


def files_of(folder: Path, task: str) -> list[DecisionFile]:
    """A task's files, the oldest first."""
    name = re.compile(rf"{re.escape(task)}-(\d+)-([0-9a-f]{{8}}){re.escape(SUFFIX)}")
    found = []
    for path in folder.glob(f"{task}-*{SUFFIX}"):
        match = name.fullmatch(path.name)
        if match:
            found.append(DecisionFile(int(match[1]), match[2], path))
    return sorted(found)


def begin_file(folder: Path, task: str, writer: str) -> tuple[Path, BinaryIO]:
    """Make the next file, and lock it until it is closed.

    Raises:
        OSError: it can't be made.
    """
    number = max((file.number for file in files_of(folder, task)), default=0) + 1
    path = folder / f"{task}-{number:06}-{writer}{SUFFIX}"
    file = path.open("xb")
    try:
        fcntl.flock(file, fcntl.LOCK_EX)  # who prunes may hold it for a moment
    except OSError:
        file.close()
        path.unlink(missing_ok=True)
        raise
    return path, file


def prune(folder: Path, task: str, writer: str) -> None:
    """Remove all but the newest `KEPT` of the writer's own files and those that nobody locks."""
    old = [file for file in files_of(folder, task) if file.writer == writer or _is_left(file.path)]
    for file in old[:-KEPT]:
        file.path.unlink(missing_ok=True)


def _is_left(path: Path) -> bool:
    """Whether a file's writer has ended."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # locked, or gone, or not ours to read
        return False
    return True
