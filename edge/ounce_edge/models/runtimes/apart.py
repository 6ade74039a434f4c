"""A runtime in a process of its own: what kills it, or breaks its GPU, kills nothing else.

The process is started again when a call wants it, after a pause that grows. Until then calls fail
at once, so that other models answer.
"""

import logging
import multiprocessing
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.errors import ArtifactError, RuntimeAbsentError

from ounce_edge.models.runtimes.apart_process import Kind, Limits, serve
from ounce_edge.models.runtimes.base import (
    Inputs,
    LoadedModel,
    Runtime,
    RuntimeDownError,
    TensorSignature,
)

logger = logging.getLogger(__name__)

_MOST_PAUSE_S = 60.0
_CLOSE_S = 5.0


class ApartError(RuntimeDownError):
    """A call whose process died, broke or did not answer; or is not to be started yet."""


@dataclass
class _Kept:
    """What is loaded anew in another process."""

    path: Path
    content: bytes
    process: int = 0
    """Number of the process that holds it; 0: none."""


@dataclass
class _Process:
    process: Any
    connection: Any
    number: int


@dataclass
class _State:
    current: _Process | None = None
    n_started: int = 0
    pause_s: float = 0.0
    not_before_s: float = 0.0
    started_at_s: float = 0.0
    models: dict[int, _Kept] = field(default_factory=dict)


class ApartRuntime:
    """Implements `Runtime`. Calls of several threads follow each other.

    Args:
        make: makes the runtime, in the other process; what `spawn` can send there.
        limits: of waiting.
        clock: seconds on a steady clock.

    Raises:
        RuntimeAbsentError: the runtime can't be made, or its process does not start.
    """

    def __init__(
        self,
        make: Callable[[], Runtime],
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._make, self._limits, self._clock = make, limits or Limits(), clock
        self._lock = threading.RLock()
        self._numbers = count(1)
        self._gone = deque[int]()
        """Models that nothing holds any more."""
        self._state = _State()
        try:
            started: tuple[str, int] = self._start()
            self._name, self._threads = started
        except ApartError as e:
            raise RuntimeAbsentError(str(e)) from e

    @property
    def name(self) -> str:
        """Of the runtime."""
        return self._name

    @property
    def threads(self) -> int:
        """Of the runtime."""
        return self._threads

    @property
    def used_bytes(self) -> int:
        """Memory of the GPU that is taken; 0 where nobody can say."""
        with self._lock:
            if self._state.current is None:
                return 0
            self._forget()
            try:
                return int(self._ask(self._limits.run_s, "used", 0))
            except RuntimeError:
                return 0

    @property
    def n_restarts(self) -> int:
        """How often the process was started again."""
        return self._state.n_started - 1

    def load(self, path: Path, content: bytes) -> LoadedModel:
        """As `Runtime` says.

        Raises:
            ArtifactError: the runtime does not take the model.
            ApartError: the process fails.
        """
        with self._lock:
            self._forget()
            number = next(self._numbers)
            kept = self._state.models[number] = _Kept(path, content)
            try:
                inputs, outputs = self._load(number, kept)
            except BaseException:
                del self._state.models[number]
                raise
        return _ApartModel(self, number, inputs, outputs)

    def run(self, number: int, inputs: Inputs) -> NDArray[np.float32]:
        """Run a model by its number.

        Raises:
            RuntimeError: the model fails, or the process does.
        """
        with self._lock:
            self._forget()
            kept = self._state.models[number]
            if self._state.current is None or kept.process != self._state.current.number:
                self._load(number, kept)
            result: NDArray[np.float32] = self._ask(self._limits.run_s, "run", number, dict(inputs))
        return result

    def unload(self, number: int) -> None:
        """Forget a model."""
        with self._lock:
            kept = self._state.models.pop(number, None)
            current = self._state.current
            if kept is not None and current is not None and kept.process == current.number:
                try:
                    self._ask(self._limits.run_s, "unload", number)
                except ApartError as e:
                    logger.warning("%s", e)

    def forget(self, number: int) -> None:
        """Unload a model with the next call; for the garbage collector, which must not wait."""
        self._gone.append(number)

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._drop(_CLOSE_S)

    def _forget(self) -> None:
        while self._gone:
            self.unload(self._gone.popleft())

    def _load(self, number: int, kept: _Kept) -> Any:
        if self._state.current is None:
            self._restart()
        signatures = self._ask(self._limits.load_s, "load", number, str(kept.path), kept.content)
        assert self._state.current is not None  # it has just answered
        kept.process = self._state.current.number
        return signatures

    def _restart(self) -> None:
        wait_s = self._state.not_before_s - self._clock()
        if wait_s > 0:
            raise ApartError(f"{self._name}: its process is started again in {wait_s:.1f} s")
        logger.warning("starting the process of %s again", self._name)
        self._start()

    def _start(self) -> Any:
        state = self._state
        state.n_started += 1
        # The first restart is at once, each pause is twice as long, until a process lasts.
        now_s = self._clock()
        if now_s - state.started_at_s > _MOST_PAUSE_S:
            state.pause_s = 0.0
        state.started_at_s, state.not_before_s = now_s, now_s + state.pause_s
        state.pause_s = min(max(2 * state.pause_s, 1.0), _MOST_PAUSE_S)
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=serve, args=(self._make, theirs), daemon=True)
        process.start()
        theirs.close()
        state.current = _Process(process, ours, state.n_started)
        return self._answer(self._limits.start_s)

    def _ask(self, limit_s: float, *message: Any) -> Any:
        assert self._state.current is not None
        try:
            self._state.current.connection.send(message)
        except OSError:
            raise self._died() from None
        return self._answer(limit_s)

    def _answer(self, limit_s: float) -> Any:
        assert self._state.current is not None
        connection = self._state.current.connection
        try:
            if not connection.poll(limit_s):
                self._drop(0.0)
                raise ApartError(f"{self._told} did not answer for {limit_s:g} s and was ended")
            kind, value = connection.recv()
        except (EOFError, OSError):
            raise self._died() from None
        if kind is Kind.DONE:
            return value
        if kind is Kind.REFUSED:
            raise ArtifactError(value)
        if kind is Kind.ABSENT:
            self._drop(_CLOSE_S)
            raise RuntimeAbsentError(value)
        if kind is Kind.BROKEN:
            self._drop(_CLOSE_S)
            raise ApartError(f"{self._told} can't go on: {value}")
        raise RuntimeError(value)

    def _died(self) -> ApartError:
        code = self._drop(_CLOSE_S)
        how = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
        return ApartError(f"{self._told} ended with {how}")

    @property
    def _told(self) -> str:
        return f"the process of {getattr(self, '_name', 'the runtime')}"

    def _drop(self, wait_s: float) -> int | None:
        """End the process; its exit code."""
        current, self._state.current = self._state.current, None
        if current is None:
            return None
        current.connection.close()
        current.process.join(wait_s)
        if current.process.is_alive():
            current.process.kill()
            current.process.join()
        code: int | None = current.process.exitcode
        current.process.close()
        return code


class _ApartModel:
    def __init__(
        self,
        runtime: ApartRuntime,
        number: int,
        inputs: Mapping[str, TensorSignature],
        outputs: Mapping[str, TensorSignature],
    ) -> None:
        self._runtime, self._number = runtime, number
        self.inputs, self.outputs = inputs, outputs
        self._is_loaded = True

    def run(self, inputs: Inputs) -> NDArray[np.float32]:
        """As `LoadedModel` says."""
        if not self._is_loaded:
            raise RuntimeError("the model was unloaded")
        return self._runtime.run(self._number, inputs)

    def unload(self) -> None:
        """As `LoadedModel` says."""
        if self._is_loaded:
            self._is_loaded = False
            self._runtime.unload(self._number)

    def __del__(self) -> None:
        if self._is_loaded:
            self._runtime.forget(self._number)
