"""One line to a process that runs a runtime apart: a question, then its answer."""

import os
import socket
import struct
import threading
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any


class StalledError(Exception):
    """Nothing moved for too long; the message says what did not."""


class Channel:
    """The worker's end. Several threads may use it: one question at a time.

    Args:
        pipe: to the other process.
    """

    def __init__(self, pipe: "Connection[Any, Any]") -> None:
        self.lock = threading.RLock()
        """Of whoever asks."""
        self._pipe = pipe
        self._socket = socket.socket(fileno=os.dup(pipe.fileno()))

    def send(self, message: Any, limit_s: float) -> None:
        """Send a message, within so many seconds.

        Raises:
            StalledError: the other end does not read.
            OSError: the other end is gone, or this one is cut.
        """
        try:
            self._limit(socket.SO_SNDTIMEO, limit_s)
            self._pipe.send(message)
        except BlockingIOError:
            raise StalledError("read nothing") from None

    def receive(self, limit_s: float) -> Any:
        """Wait for the next message, for so many seconds.

        Raises:
            StalledError: none came, or not all of it.
            EOFError, OSError: the other end is gone, or this one is cut.
        """
        if not self._pipe.poll(limit_s):
            raise StalledError("did not answer")
        try:
            self._limit(socket.SO_RCVTIMEO, limit_s)
            return self._pipe.recv()
        except BlockingIOError:
            raise StalledError("stopped in the middle of an answer") from None

    def cut(self) -> None:
        """Let both ends read the end of the line, also a thread that waits for an answer."""
        with suppress(OSError):  # the other end is gone, or this one is closed
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give it back, unless another thread uses it: that thread fails, and closes it."""
        if self.lock.acquire(blocking=False):
            try:
                self._pipe.close()
                self._socket.close()
            finally:
                self.lock.release()

    def _limit(self, option: int, limit_s: float) -> None:
        """Let the kernel end a transfer in which nothing moves for so long, as BlockingIOError."""
        seconds = int(limit_s)
        microseconds = max(int((limit_s - seconds) * 1e6), 0 if seconds else 1)  # 0: no limit
        self._socket.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", seconds, microseconds))
