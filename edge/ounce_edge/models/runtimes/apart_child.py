"""The worker's end of a process that runs a runtime apart."""

import multiprocessing
import os
import socket
import struct
from collections.abc import Callable
from typing import Any

from ounce_schemas.errors import ArtifactError, RuntimeAbsentError

from ounce_edge.models.runtimes.apart_process import Kind, serve
from ounce_edge.models.runtimes.base import EngineAbsentError, Runtime, RuntimeDownError

_END_S = 5.0


class ApartError(RuntimeDownError):
    """A call whose process died, broke or did not answer; or is not there yet."""


class Child:
    """A process. It is over once it has died, broken, or not answered in time.

    Args:
        make: makes the runtime there.
        number: of this process.
        told: what messages call it.
    """

    def __init__(self, make: Callable[[], Runtime], number: int, told: str) -> None:
        self.number, self.told = number, told
        self.is_over = False
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._socket = socket.socket(fileno=os.dup(self._pipe.fileno()))
        self._process = context.Process(target=serve, args=(make, theirs), daemon=True)
        self._process.start()
        theirs.close()

    @property
    def pid(self) -> int | None:
        """Of the process."""
        return self._process.pid

    def ask(self, limit_s: float, *message: Any) -> Any:
        """Send a message and wait for the answer, each for so many seconds.

        Raises:
            EngineAbsentError: the model has no engine yet.
            ArtifactError: the model is refused.
            ApartError: the process is over.
            RuntimeError: the call failed; the next one may do.
        """
        try:
            self._limit(socket.SO_SNDTIMEO, limit_s)
            self._pipe.send(message)
        except BlockingIOError:
            raise self._hung("read nothing", limit_s) from None
        except OSError:
            raise self._died() from None
        return self.answer(limit_s)

    def answer(self, limit_s: float) -> Any:
        """Wait for an answer; the first comes by itself, with the runtime's name and threads.

        Raises:
            RuntimeAbsentError: there is no such runtime.
            Exception: as of `ask`.
        """
        try:
            if not self._pipe.poll(limit_s):
                raise self._hung("did not answer", limit_s)
            self._limit(socket.SO_RCVTIMEO, limit_s)
            kind, value = self._pipe.recv()
        except BlockingIOError:
            raise self._hung("stopped in the middle of an answer", limit_s) from None
        except (EOFError, OSError):
            raise self._died() from None
        if kind is Kind.DONE:
            return value
        if kind is Kind.REFUSED:
            raise ArtifactError(value)
        if kind is Kind.NO_ENGINE:
            raise EngineAbsentError(value)
        if kind is Kind.FAILED:
            raise RuntimeError(value)
        self.end()
        if kind is Kind.ABSENT:
            raise RuntimeAbsentError(value)
        raise ApartError(f"{self.told} can't go on: {value}")

    def end(self, wait_s: float = _END_S) -> int | None:
        """End it, with force where it does not end within this time; its exit code."""
        self.is_over = True
        self._pipe.close()
        self._socket.close()
        self._process.join(wait_s)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        return self._process.exitcode

    def _limit(self, option: int, limit_s: float) -> None:
        """Let the kernel end a transfer in which nothing moves for so long, as BlockingIOError."""
        seconds = int(limit_s)
        microseconds = max(int((limit_s - seconds) * 1e6), 0 if seconds else 1)  # 0: no limit
        self._socket.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", seconds, microseconds))

    def _hung(self, how: str, limit_s: float) -> ApartError:
        self.end(0.0)
        return ApartError(f"{self.told} {how} for {limit_s:g} s and was ended")

    def _died(self) -> ApartError:
        code = self.end()
        how = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
        return ApartError(f"{self.told} ended with {how}")
