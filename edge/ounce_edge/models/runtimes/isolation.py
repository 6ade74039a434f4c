"""Models that run in a process of their own for a while, since a call has killed whoever made it.

Most of the time a model runs in the worker itself: a call is a look at a flag dearer. While it is
isolated, what kills or hangs its process costs that call alone.
"""

import logging
import re
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import count
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.errors import ArtifactError, RuntimeAbsentError

from ounce_edge.models.runtimes.apart_child import ApartError, Child
from ounce_edge.models.runtimes.apart_process import Limits
from ounce_edge.models.runtimes.base import (
    CrashedError,
    Inputs,
    Runtime,
)
from ounce_edge.models.runtimes.kept_file import KeptFile
from ounce_edge.models.runtimes.memory_limit import limit_memory

logger = logging.getLogger(__name__)

T = TypeVar("T")
_NO_MEMORY = re.compile("Failed to allocate memory|bad_alloc|MemoryError")

_FIRST_TO_DIE = "1000"
"""For `oom_score_adj` of Linux: where memory runs out, this process is killed before the worker."""


def lacks_memory(text: str) -> bool:
    """Whether an error is one of too little memory, as ONNX Runtime, C++ and Python say it."""
    return _NO_MEMORY.search(text) is not None


class Isolation:
    """The process, and whether models run there. All methods may be called on any thread.

    Args:
        make: makes the runtime in the process; what `spawn` can send there.
        limits: of waiting for it.
        on_crash: called when the process ended: that is progress.
        clock: seconds on a steady clock.
    """

    def __init__(
        self,
        make: Callable[[], Runtime],
        limits: Limits | None = None,
        on_crash: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._make, self._limits, self._clock = partial(_made, make), limits or Limits(), clock
        self._on_crash = on_crash
        self._lock = threading.Lock()
        """Over the two that follow; held while a call is made."""
        self._child: Child | None = None
        self._loaded = set[int]()
        """Numbers of the models that the process has."""
        self._gone = deque[int]()
        """Those of models that nothing holds any more."""
        self._numbers = count(1)
        self._crashed_at_s = 0.0
        self.n_crashes = 0
        """Of the process, since this began."""
        self.is_on = False
        """Whether models run in the process."""
        self.failure: str | None = None
        """Why there can be no process since `begin`; models run in the worker then."""

    @property
    def quiet_s(self) -> float:
        """Seconds since the last crash."""
        return self._clock() - self._crashed_at_s

    def begin(self) -> None:
        """From now on models run in the process; it starts with the next call."""
        if not self.is_on:
            self.n_crashes, self.is_on, self.failure = 0, True, None

    def end(self) -> None:
        """From now on models run in the worker, once a call or load under way has ended."""
        self.is_on = False
        with self._lock:
            self._end_child()

    def close(self) -> None:
        """End the process; a call or load under way fails."""
        self.is_on = False
        if (child := self._child) is not None:
            child.end()
        self.end()

    def reach(self) -> bool:
        """Whether there is a process; it is started where there is none, and `failure` says why
        there can be none."""
        with self._lock:
            return self._started() is not None

    def number(self) -> int:
        """For one more model."""
        return next(self._numbers)

    def run(self, number: int, file: KeptFile, inputs: Inputs) -> NDArray[np.float32] | None:
        """Run a model in the process; None where it has to run in the worker: there can be no
        process that holds it, or its file was written over.

        Raises:
            CrashedError: the process ended in this call, did not answer, or has too little memory.
            RuntimeError: the model fails.
        """
        with self._lock:
            child = self._holding(number, file)
            if child is None:
                return None
            try:
                answer: NDArray[np.float32] = child.ask(
                    self._limits.run_s, "run", number, dict(inputs)
                )
            except ApartError as e:
                self._note_crash()
                logger.warning("a call of %s took its process down: %s", file.path, e)
                raise CrashedError(f"took its process down: {e}") from e
            except RuntimeError as e:
                if not lacks_memory(str(e)):
                    raise
                self._end_child()  # what the call has taken may be lacked by the next one
                self._count_crash()  # in the worker it might have been one
                raise CrashedError(f"wants more memory than is free: {e}") from e
            return answer

    def call(self, function: Callable[..., T], *arguments: object) -> T:
        """Call a function, in the process while that is on and where there can be one.

        Args:
            function: what `spawn` can send there, as its arguments and its answer.
            arguments: of it.

        Raises:
            CrashedError: the process ended in this call, or did not answer.
        """
        if self.is_on:
            with self._lock:
                child = self._started()
                if child is not None:
                    try:
                        answer: T = child.ask(self._limits.run_s, "call", 0, function, *arguments)
                    except ApartError as e:
                        self._note_crash()
                        logger.warning("%s took its process down: %s", function.__name__, e)
                        text = f"took its process down: {e}"
                        raise CrashedError(text, is_killed=e.is_killed) from e
                    return answer
        return function(*arguments)

    def load(self, number: int, path: Path, content: bytes) -> None:
        """Load a model in the process, where there can be one.

        Raises:
            ArtifactError: it can't be loaded, or takes the process down.
        """
        with self._lock:
            child = self._started()
            if child is None:
                return
            try:
                child.ask(self._limits.load_s, "load", number, str(path), content)
            except ApartError as e:
                self._note_crash()
                raise ArtifactError(f"{path}: loading it took a process down: {e}") from e
            self._loaded.add(number)

    def unload(self, number: int) -> None:
        """Forget a model, where the process has it."""
        with self._lock:
            self._unload(number)

    def forget(self, number: int) -> None:
        """`unload` with the next call; for the garbage collector, which must not wait."""
        if number in self._loaded:
            self._gone.append(number)

    def _unload(self, number: int) -> None:
        if number in self._loaded and self._child is not None:
            self._loaded.discard(number)
            with suppress(RuntimeError):  # the next call finds the process gone
                self._child.ask(self._limits.run_s, "unload", number)

    def _started(self) -> Child | None:
        while self._gone:
            self._unload(self._gone.popleft())
        if not self.is_on:  # it ended while this waited for the lock
            return None
        if self._child is None:
            try:
                self._child = Child(self._make, 1, "the process")
                self._child.answer(self._limits.start_s)
            except (ApartError, RuntimeAbsentError) as e:
                self.failure, self.is_on = str(e), False
                self._end_child()
                return None
            self._loaded.clear()
        return self._child

    def _holding(self, number: int, file: KeptFile) -> Child | None:
        """The process, with a model that the worker has, too. No request is at fault where it can't
        be loaded, as where memory is short: after a second try in a new process there is none."""
        child = self._started()
        if child is None or number in self._loaded:
            return child
        content = file.content()
        if content is None:
            return None
        is_new = not self._loaded
        try:
            child.ask(self._limits.load_s, "load", number, str(file.path), content)
        except (ArtifactError, RuntimeError) as e:
            self._end_child()
            if not is_new:
                return self._holding(number, file)
            self.failure, self.is_on = f"{file.path} can't be loaded there: {e}", False
            return None
        self._loaded.add(number)
        return child

    def _note_crash(self) -> None:
        self._child = None
        self._count_crash()

    def _count_crash(self) -> None:
        self._crashed_at_s = self._clock()
        self.n_crashes += 1
        self._on_crash()

    def _end_child(self) -> None:
        self._loaded.clear()
        if self._child is not None:
            self._child.end()
            self._child = None


def _made(make: Callable[[], Runtime]) -> Runtime:
    with suppress(OSError):  # it is no Linux
        Path("/proc/self/oom_score_adj").write_text(_FIRST_TO_DIE, encoding="ascii")
    limit_memory()
    return make()
