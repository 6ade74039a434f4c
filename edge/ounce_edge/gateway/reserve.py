"""Room on the disk that is kept for sending: what is stored can leave a disk that is full.

To delete from the store is to write to its log first.
"""

import errno
import os
import shutil
from contextlib import suppress
from pathlib import Path


class Reserve:
    """A file that takes up room until that is needed.

    Args:
        path: of the file.
        size_bytes: of the room.
        spare_bytes: what has to stay free beside it where it is taken: else it would soon be needed
            again.
    """

    def __init__(self, path: Path, size_bytes: int, spare_bytes: int) -> None:
        self.is_held = False
        self._path = path
        self._size_bytes = size_bytes
        self._spare_bytes = spare_bytes

    def hold(self) -> None:
        """Take the room up, where it is not.

        Raises:
            OSError: the disk has too little.
        """
        if self.is_held:
            return
        had = self._path.stat().st_size if self._path.exists() else 0
        if had != self._size_bytes:  # else the process before left it
            self._take(had)
        self.is_held = True

    def release(self) -> None:
        """Give the room away, where the disk can be written at all."""
        self.is_held = False
        with suppress(OSError):
            self._path.unlink()

    def _take(self, had: int) -> None:
        wanted = self._size_bytes + self._spare_bytes - had
        if shutil.disk_usage(self._path.parent).free < wanted:
            raise OSError(errno.ENOSPC, f"less than {wanted / 1e6:.0f} MB of the disk are free")
        try:
            self._write()
        except OSError:
            self.release()
            raise

    def _write(self) -> None:
        with self._path.open("wb") as file:
            file.write(os.urandom(self._size_bytes))  # no file system makes that smaller
            file.flush()
            os.fsync(file.fileno())
