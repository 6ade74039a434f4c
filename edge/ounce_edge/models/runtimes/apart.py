"""A runtime in a process of its own: what kills it, or breaks its GPU, kills nothing else.

A call that finds no process has one started on another thread, after a pause that grows, and fails
at once: other models answer meanwhile.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.errors import ArtifactError, OunceError, RuntimeAbsentError

from ounce_edge.models.runtimes.apart_child import ApartError, Child
from ounce_edge.models.runtimes.apart_model import ApartModel, KeptModel
from ounce_edge.models.runtimes.apart_process import Limits
from ounce_edge.models.runtimes.base import Inputs, LoadedModel, Runtime

__all__ = ["ApartError", "ApartRuntime", "Limits"]

logger = logging.getLogger(__name__)

_MOST_PAUSE_S = 60.0
_PATIENCE_S = 5.0
"""Of a load: a few models that kill the process keep no other from the GPU, nor a worker from its
start."""


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
        self._loads = threading.RLock()
        """Of whoever loads a model or starts a process; taken before the other lock."""
        self._lock = threading.RLock()
        """Of whoever calls. It is never held while a model loads."""
        self._closed = threading.Event()
        self._is_starting = threading.Event()
        self._numbers = count(1)
        self._gone = deque[int]()
        """Models that nothing holds any more."""
        self._models: dict[int, KeptModel] = {}
        self._child: Child | None = None
        self._n_started = 0
        self._pause_s = self._not_before_s = self._started_at_s = 0.0
        self._name = "the runtime"
        try:
            self._name, self._threads = self._start()
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
    def pid(self) -> int | None:
        """Of the process; None where there is none."""
        return None if self._child is None or self._child.is_over else self._child.pid

    @property
    def used_bytes(self) -> int:
        """Memory of the GPU that is taken; 0 where nobody can say."""
        found = self._figure("used")
        return 0 if found is None else int(found)

    @property
    def joules(self) -> float | None:
        """Energy that the GPU has used since some time; None where nobody can say."""
        found = self._figure("joules")
        return None if found is None else float(found)

    def _figure(self, what: str) -> Any:
        """What the process says of the GPU; None where there is none that can answer."""
        if self._is_starting.is_set():
            return None
        with self._lock:
            if self._is_starting.is_set():  # meanwhile: the next answer is that of the start
                return None
            try:
                self._forget()
                return self._alive().ask(self._limits.run_s, what, 0)
            except RuntimeError:
                return None

    def load(self, path: Path, content: bytes) -> LoadedModel:
        """As `Runtime` says. A process that is being started, or soon will be, is waited for.

        Raises:
            ArtifactError: the runtime does not take the model.
            ApartError: the process fails.
        """
        with self._loads:
            if self._child is None or self._child.is_over:
                self._check_pause(_PATIENCE_S)
                self._is_starting.set()
                self._restart()
            number, kept = next(self._numbers), KeptModel(path, content)
            with self._lock:
                self._forget()
                self._models[number] = kept
            try:
                inputs, outputs = self._load(number, kept)
            except BaseException:
                with self._lock:
                    del self._models[number]
                raise
        return ApartModel(self, number, inputs, outputs)

    def run(self, number: int, inputs: Inputs) -> NDArray[np.float32]:
        """Run a model by its number.

        Raises:
            ApartError: there is no process, or it fails.
            RuntimeError: the model fails.
        """
        result: NDArray[np.float32] = self._ask(number, "run", dict(inputs))
        return result

    def gpu_times_ms(self, number: int, n_items: int, n_calls: int) -> list[float]:
        """Times of a model's calls by the GPU's own clock; none where it has no clock.

        Raises:
            Exception: as of `run`.
        """
        return [float(ms) for ms in self._ask(number, "times", n_items, n_calls)]

    def _ask(self, number: int, what: str, *more: Any) -> Any:
        if self._is_starting.is_set():
            raise self._starting()
        with self._lock:
            if self._is_starting.is_set():  # by a call that had the lock before
                raise self._starting()
            if self._child is None or self._child.is_over:
                self._check_pause()
                self._beside(self._try_restart)
                self._is_starting.set()
                raise self._starting()
            self._forget()
            child, kept = self._alive(), self._models.get(number)
            if kept is None:
                raise RuntimeError("the model was unloaded")
            if kept.process != child.number:
                if not kept.is_tried and kept.left_out_of != child.number:
                    self._beside(self._try_again, number, kept)
                    kept.is_tried = True
                raise ApartError(f"{kept.path} did not come back: {kept.why_not}")
            return child.ask(self._limits.run_s, what, number, *more)

    def unload(self, number: int) -> None:
        """Forget a model."""
        with self._lock:
            kept, child = self._models.pop(number, None), self._child
            if kept is None or child is None or child.is_over or kept.process != child.number:
                return
            try:
                child.ask(self._limits.run_s, "unload", number)
            except RuntimeError as e:
                logger.warning("%s", e)

    def forget(self, number: int) -> None:
        """Unload a model with the next call; for the garbage collector, which must not wait."""
        self._gone.append(number)

    def close(self) -> None:
        """End the process; there is no other one."""
        with self._lock:
            self._closed.set()
            if self._child is not None and not self._child.is_over:
                self._child.end()

    def _starting(self) -> ApartError:
        return ApartError(f"the process of {self._name} is being started again")

    def _alive(self) -> Child:
        if self._child is None or self._child.is_over:
            raise ApartError(f"the process of {self._name} is not there")
        return self._child

    def _check_pause(self, most_s: float = 0.0) -> None:
        """Wait for a pause of at most so many seconds; a longer one is an error."""
        wait_s = self._not_before_s - self._clock()
        if 0 < wait_s <= most_s:
            self._closed.wait(wait_s)
            wait_s = 0.0
        if self._closed.is_set():
            raise ApartError(f"{self._name} is closed")
        if wait_s > 0:
            raise ApartError(f"the process of {self._name} is started again in {wait_s:.1f} s")

    def _beside(self, target: Callable[..., None], *arguments: Any) -> None:
        """On another thread. Whoever asks has the lock, and takes note behind this, since there may
        be too many threads."""
        threading.Thread(target=target, args=arguments, name="apart", daemon=True).start()

    def _try_restart(self) -> None:
        try:
            with self._loads:
                self._restart()
        except (ApartError, OunceError) as e:
            logger.warning("%s", e)

    def _try_again(self, number: int, kept: KeptModel) -> None:
        """Load a model that did not come back, unless it is there by this time, or unloaded."""
        try:
            with self._loads:
                if number in self._models and kept.process != self._n_started:
                    self._bring_back(number, kept)
        finally:
            with self._lock:  # so that it was noted before
                kept.is_tried = False

    def _restart(self) -> None:
        """Another process, with all models, unless one is there by this time."""
        try:
            if self._child is not None and not self._child.is_over:
                return
            logger.warning("starting the process of %s again", self._name)
            self._start()
            with self._lock:
                models = list(self._models.items())
            for number, kept in models:
                if kept.left_out_of != self._n_started:
                    self._bring_back(number, kept)
        finally:
            with self._lock:  # so that it was noted before
                self._is_starting.clear()

    def _bring_back(self, number: int, kept: KeptModel) -> None:
        was_there = self.pid is not None
        try:
            self._load(number, kept)
        except (ArtifactError, RuntimeError) as e:
            kept.why_not = str(e)
            if was_there and self.pid is None:
                kept.left_out_of = self._n_started + 1
            logger.warning("%s did not come back: %s", kept.path, e)

    def _load(self, number: int, kept: KeptModel) -> Any:
        child = self._alive()
        found = child.load(self._limits.load_s, "load", number, str(kept.path), kept.content)
        with self._lock:
            kept.process = child.number
            if number not in self._models:  # unloaded meanwhile
                self._models[number] = kept
                self.unload(number)
        return found

    def _forget(self) -> None:
        while self._gone:
            self.unload(self._gone.popleft())

    def _start(self) -> tuple[str, int]:
        # The first restart is at once, each pause is twice as long, until a process lasts.
        now_s = self._clock()
        if now_s - self._started_at_s > _MOST_PAUSE_S:
            self._pause_s = 0.0
        self._started_at_s, self._not_before_s = now_s, now_s + self._pause_s
        self._pause_s = min(max(2 * self._pause_s, 1.0), _MOST_PAUSE_S)
        self._n_started += 1
        with self._lock:
            if self._closed.is_set():  # meanwhile
                raise ApartError(f"{self._name} is closed")
            self._child = Child(self._make, self._n_started, f"the process of {self._name}")
        name, threads = self._child.answer(self._limits.start_s)
        self._child.told = f"the process of {name}"
        return name, threads
