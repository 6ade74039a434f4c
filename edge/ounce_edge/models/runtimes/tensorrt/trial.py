"""Kernels on trial: those that a process died of are not tried again."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path


class Trial:
    """Says on disk that kernels are being tried. The lock on its file ends with the process, so
    that a file which nobody holds is of a process that died.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._number: int | None = None

    def begin(self) -> bool:
        """Whether they may be tried; False, once, where a process died meanwhile. In a folder that
        can't be written they always may."""
        try:
            number = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            return True
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
            has_died = os.fstat(number).st_size > 0
            os.write(number, b"1")
        except OSError:  # another process tries them, or the disk is full
            os.close(number)
            return True
        self._number = number
        if has_died:
            self.end()
        return not has_died

    def end(self) -> None:
        """The process goes on, or ends for another reason."""
        number, self._number = self._number, None
        if number is None:
            return
        with suppress(OSError):
            os.ftruncate(number, 0)  # whoever opened the file meanwhile takes nobody for dead
            self._path.unlink(missing_ok=True)
        os.close(number)
