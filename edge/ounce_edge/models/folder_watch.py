"""Noticing that a task's folder of models holds something else, and is whole."""

import os
from collections.abc import Iterator
from pathlib import Path

Fingerprint = tuple[tuple[str, int, int, int], ...]
"""Of each file its place, size, time of change and number; ascending."""


class FolderWatch:
    """Looks at one folder now and then. A copy under way changes from look to look: it is waited
    for.

    Args:
        folder: of one task. What it holds now is no change.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known = self._seen = fingerprint(folder)

    def look(self) -> bool:
        """Whether it holds something else than when this last returned True, and the same as at
        the look before."""
        seen, self._seen = self._seen, fingerprint(self.folder)
        if self._seen != seen or seen == self._known:
            return False
        self._known = seen
        return True


def fingerprint(folder: Path) -> Fingerprint:
    """What the files of a folder, and of the folders in it, look like from outside; hidden ones
    too, since copying programs write to those. Empty where nothing can be read."""
    return tuple(sorted(_files(folder, depth=1)))


def _files(folder: Path, depth: int) -> Iterator[tuple[str, int, int, int]]:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir() and depth:
                    yield (entry.path, 0, 0, 0)
                    yield from _files(Path(entry.path), depth - 1)
                else:
                    found = entry.stat()
                    yield (entry.path, found.st_size, found.st_mtime_ns, found.st_ino)
    except OSError:  # it is being replaced; the next look sees what came
        return
