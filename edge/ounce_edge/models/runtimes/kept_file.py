"""A file that can be read again once its name is gone, or is another file's."""

import hashlib
import os
import weakref
from pathlib import Path


class KeptFile:
    """Stays open, so that the system keeps it.

    Args:
        path: of the file.
        digest: SHA-256 of what is there.
    """

    def __init__(self, path: Path, digest: bytes) -> None:
        self.path, self._digest = path, digest
        self._handle: int | None = None
        try:
            self._handle = os.open(path, os.O_RDONLY)
        except OSError:  # it is gone by now
            return
        self._close = weakref.finalize(self, os.close, self._handle)

    def content(self) -> bytes | None:
        """What it holds; None where that is something else by now: it was written over."""
        if self._handle is None:
            return None
        try:
            content = os.pread(self._handle, os.fstat(self._handle).st_size, 0)
        except OSError:  # its disk is gone
            return None
        return content if hashlib.sha256(content).digest() == self._digest else None

    def close(self) -> None:
        """Let the system forget it."""
        if self._handle is not None:
            self._handle = None
            self._close()
