"""The worker's end of a process that runs a runtime apart."""

import atexit
import logging
import multiprocessing
import signal
import threading
import weakref
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from ounce_schemas.errors import ArtifactError, RuntimeAbsentError

from ounce_edge.models.runtimes.apart_channel import Channel, StalledError
from ounce_edge.models.runtimes.apart_process import Kind, serve
from ounce_edge.models.runtimes.base import EngineAbsentError, Runtime, RuntimeDownError
from ounce_edge.models.runtimes.bounded_process import END_S, BoundedProcess

logger = logging.getLogger(__name__)

_children = weakref.WeakSet["Child"]()


@atexit.register  # before the hook of multiprocessing, whose SIGTERM the processes ignore
def _end_all() -> None:
    for child in list(_children):
        child.end()


_KILLED = (-signal.SIGKILL, 128 + signal.SIGKILL)
"""Exit codes of a process that the system ended, as where memory is short; the second as shells and
containers give it."""


class ApartError(RuntimeDownError):
    """A call whose process died, broke, did not answer or is busy; or is not there yet.

    Attributes:
        is_killed: the system ended the process, as where memory is short.
    """

    def __init__(self, text: str, *, is_killed: bool = False) -> None:
        super().__init__(text)
        self.is_killed = is_killed


class Child:
    """A process. It is over once it has died, broken, or not answered in time.

    Loads have a line of their own, so that calls of other models are answered meanwhile.

    Args:
        make: makes the runtime there.
        number: of this process.
        told: what messages call it.

    Raises:
        ApartError: it can't be started.
    """

    def __init__(self, make: Callable[[], Runtime], number: int, told: str) -> None:
        self.number, self.told = number, told
        self.is_over = False
        self._ending = threading.Lock()
        try:
            with ExitStack() as undone, ExitStack() as passed:
                self._start(make, undone, passed)
                undone.pop_all()
        except OSError as e:  # too many processes or open files, or too little memory
            raise ApartError(f"{told} can't be started: {e.strerror or e}") from e
        _children.add(self)

    def _start(self, make: Callable[[], Runtime], undone: ExitStack, passed: ExitStack) -> None:
        """Start it; `passed` closes what it has then, `undone` what stays here."""
        channels, theirs = [], []
        for _ in range(2):
            pipe, end = multiprocessing.Pipe()
            theirs.append(passed.enter_context(end))
            channels.append(Channel(undone.enter_context(pipe)))
            undone.callback(channels[-1].close)
        self._calls, self._loads = channels
        self._process = BoundedProcess(target=serve, args=(make, *theirs), daemon=True)
        self._process.start()

    @property
    def pid(self) -> int | None:
        """Of the process."""
        return self._process.pid

    def ask(self, limit_s: float, *message: Any) -> Any:
        """Send a message and wait for the answer, each for so many seconds.

        Raises:
            EngineAbsentError: the model has no engine yet.
            ArtifactError: the model is refused.
            ApartError: the process is over, or can't answer now.
            RuntimeError: the call failed; the next one may do.
        """
        return self._talk(self._calls, limit_s, message)

    def load(self, limit_s: float, *message: Any) -> Any:
        """As `ask`, beside calls."""
        return self._talk(self._loads, limit_s, message)

    def answer(self, limit_s: float) -> Any:
        """Wait for the first answer, with the runtime's name and threads.

        Raises:
            RuntimeAbsentError: there is no such runtime.
            Exception: as of `ask`.
        """
        return self._talk(self._calls, limit_s)

    def end(self, wait_s: float = END_S) -> int | None:
        """End it, with force where it does not end within this time; its exit code, None where it
        does not end even so."""
        self.is_over = True
        channels = self._calls, self._loads
        for channel in channels:
            channel.cut()
        with self._ending:
            code = self._process.end(wait_s)
            if code is None:
                logger.error("%s does not end: pid %s hangs in a driver", self.told, self.pid)
        for channel in channels:
            channel.close()
        return code

    def _talk(self, channel: Channel, limit_s: float, message: Any = None) -> Any:
        with channel.lock:
            try:
                if message is not None:
                    channel.send(message, limit_s)
                kind, value = channel.receive(limit_s)
            except StalledError as e:
                self.end(0.0)
                raise ApartError(f"{self.told} {e} for {limit_s:g} s and was ended") from None
            except (EOFError, OSError):
                raise self._died() from None
            except BaseException:  # an answer may be left that the next question would read
                self.end(0.0)
                raise
            if kind is Kind.DONE:
                return value
            if kind is Kind.REFUSED:
                raise ArtifactError(value)
            if kind is Kind.NO_ENGINE:
                raise EngineAbsentError(value)
            if kind is Kind.FAILED:
                raise RuntimeError(value)
            if kind is Kind.DOWN:
                raise ApartError(value)
            self.end()
            if kind is Kind.ABSENT:
                raise RuntimeAbsentError(value)
            raise ApartError(f"{self.told} can't go on: {value}")

    def _died(self) -> ApartError:
        code = self.end()
        if code is None:
            how = "hangs"
        else:
            how = f"ended with signal {-code}" if code < 0 else f"ended with exit code {code}"
        return ApartError(f"{self.told} {how}", is_killed=code in _KILLED)
