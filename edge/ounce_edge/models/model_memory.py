"""A budget of memory for models: those that nothing asks for are unloaded, and come back when they
are wanted."""

import hashlib
import logging
import math
import queue
import threading
import time
import weakref
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.documents import EXPLANATION_FILE
from ounce_schemas.errors import ArtifactError
from ounce_schemas.explanation import EXPLAINED_MARK

from ounce_edge.models.process_memory import give_back_free_memory, resident_bytes
from ounce_edge.models.runtimes.base import Inputs, LoadedModel, Runtime, TensorSignature

logger = logging.getLogger(__name__)

Check = Callable[[Path, LoadedModel], None]
"""Raises an ArtifactError where what was loaded can't serve."""

_MARGIN = 2.0
"""A load is expected to take so many times what the first one took ..."""
_LEAST_LOAD_MS = 20.0
"""... and at least so long."""
_STEP_MS = 10.0
"""What is left of a load is told in steps: each one is another belief."""
_FIRST_LOAD_MS = 40.0
"""A load that was never made. Whoever waits for longer than that goes on while there is time."""
_GIVEN_UP_AFTER_MS = 10_000.0
"""A load that takes longer than this, and than it should, is not waited for: the call that wants
the model makes it."""


class ManagedModel:
    """A model that may be unloaded. Several threads may run it at once; a call on a model that is
    not loaded loads it first.

    Args:
        memory: has the budget.
        runtime: loads it.
        path: of its file, `<task>/<model>/model.onnx`; read again at each load.
        content: all of the file.
        later: where it is given, the model is loaded when it is first wanted, and checked then.
    """

    def __init__(
        self,
        memory: "ModelMemory",
        runtime: Runtime,
        path: Path,
        content: bytes,
        later: Check | None = None,
    ) -> None:
        self._memory, self._runtime, self._path = memory, runtime, path
        self._digest = hashlib.sha256(content).hexdigest()
        self._lock = threading.Lock()
        self.used_at_s = memory.clock()
        self.wanted_at_s: float | None = None
        self.has_failed = False
        """Whether the last load failed: then a call tries it, and fails itself."""
        self._check = later
        self._inner: LoadedModel | None = None
        self._load_ms = _FIRST_LOAD_MS
        self.size_bytes = len(content)
        self.inputs: Mapping[str, TensorSignature] = {}
        """As of any model, once it was loaded; likewise the outputs."""
        self.outputs: Mapping[str, TensorSignature] = {}
        self.was_loaded = False
        """Whether it ever was."""
        if later is None:
            self._inner = self._load_first(content)

    def _load_first(self, content: bytes) -> LoadedModel:
        memory = self._memory
        before, began_s = memory.resident(), memory.clock()
        inner = self._runtime.load(self._path, content)
        if self._check is not None:
            self._check(self._path, inner)
        self._load_ms = max((memory.clock() - began_s) * 1e3 * _MARGIN, _LEAST_LOAD_MS)
        if before:  # 0: nobody could say
            self.size_bytes = max(memory.resident() - before, len(content))
        self.inputs, self.outputs = dict(inner.inputs), dict(inner.outputs)
        self.was_loaded = True
        return inner

    @property
    def task(self) -> str:
        """Name of its task's folder."""
        return self._path.parts[-3]

    @property
    def name(self) -> str:
        """Name of its own folder; of the graph beside the model that explains it, marked so."""
        return self._path.parts[-2] + (EXPLAINED_MARK if self.explains else "")

    @property
    def explains(self) -> bool:
        """Whether it is the graph beside a model that explains it."""
        return self._path.name == EXPLANATION_FILE

    @property
    def is_loaded(self) -> bool:
        """Whether it can run at once."""
        return self._inner is not None

    @property
    def load_left_ms(self) -> float:
        """Time until it can run; 0 where it can, or where waiting would not help."""
        wanted_at_s = self.wanted_at_s  # before the model: a load ends on another thread
        if self._inner is not None or self.has_failed:
            return 0.0
        if wanted_at_s is None:
            return self._load_ms
        since_ms = (self._memory.clock() - wanted_at_s) * 1e3
        if since_ms > max(self._load_ms, _GIVEN_UP_AFTER_MS):
            return 0.0
        return max(math.ceil((self._load_ms - since_ms) / _STEP_MS), 1) * _STEP_MS

    def run(self, inputs: Inputs) -> NDArray[np.float32]:
        """As `LoadedModel` says.

        Raises:
            ArtifactError: it was unloaded, and its file is another one or is gone.
        """
        self.used_at_s = self._memory.clock()
        inner = self._inner
        return (self.load() if inner is None else inner).run(inputs)

    def moved(self, path: Path) -> None:
        """The same file is to be read there from now on."""
        self._path = path

    def want(self) -> None:
        """Have it loaded soon, on another thread."""
        if self.wanted_at_s is None and self._inner is None:
            self.wanted_at_s = self._memory.clock()
            self._memory.queue(self)
        self.used_at_s = self._memory.clock()

    def load(self) -> LoadedModel:
        """Load it, where it is not; others make room.

        Raises:
            ArtifactError: its file is another one, or is gone.
        """
        with self._lock:
            try:
                if self._inner is None:
                    content = self._read()
                    if self.was_loaded:
                        self._inner = self._runtime.load(self._path, content)
                    else:
                        self._inner = self._load_first(content)
                    self.has_failed = False
            except Exception:  # whatever it is, waiting for the next load would not help
                self.has_failed = True
                raise
            finally:  # also where a call loaded it just before it was wanted
                self.wanted_at_s = None
            inner = self._inner
        self._memory.loaded_again(self)
        return inner

    def unload(self) -> None:
        """Give its memory back once calls under way have ended."""
        with self._lock:
            self._inner = None

    def _read(self) -> bytes:
        try:
            content = self._path.read_bytes()
        except OSError as e:
            raise ArtifactError(f"{self._path}: can't be read again: {e.strerror or e}") from e
        if hashlib.sha256(content).hexdigest() != self._digest:
            raise ArtifactError(f"{self._path}: is another file than the one that was unloaded")
        return content


def _nothing(model: ManagedModel) -> None:
    pass


class ModelMemory:
    """Keeps the models of all tasks within a budget. Of each task the smallest model stays, so that
    a message in a hurry finds one.

    Args:
        most_bytes: of all models that are loaded; infinite: none is unloaded.
        tell: called, on any thread, with a model that was loaded again or unloaded.
        clock: seconds on a steady clock.
        resident: memory that is taken, bytes; 0 where nobody can say.
    """

    def __init__(
        self,
        most_bytes: float,
        tell: Callable[[ManagedModel], None] = _nothing,
        clock: Callable[[], float] = time.monotonic,
        resident: Callable[[], int] = resident_bytes,
    ) -> None:
        self.clock, self.resident = clock, resident
        self._most_bytes = most_bytes
        self._tell = tell
        self._models = weakref.WeakSet[ManagedModel]()
        self._lock = threading.Lock()
        self._queue = queue.SimpleQueue[ManagedModel | None]()
        self._thread: threading.Thread | None = None
        self._is_short = False

    def start(self) -> None:
        """Begin to load what is wanted."""
        self._thread = threading.Thread(target=self._run, name="model-loads", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Load nothing more."""
        self._queue.put(None)

    def add(self, model: ManagedModel) -> None:
        """A model was loaded for the first time."""
        with self._lock:
            self._models.add(model)
        self._make_room(model)

    def queue(self, model: ManagedModel) -> None:
        """Load it soon."""
        self._queue.put(model)

    def loaded_again(self, model: ManagedModel) -> None:
        """A model came back."""
        self._make_room(model)
        self._tell(model)

    @property
    def used_bytes(self) -> int:
        """Of the models that are loaded."""
        with self._lock:
            return sum(m.size_bytes for m in self._models if m.is_loaded)

    def load_next(self, timeout_s: float | None = None) -> bool:
        """Load the next model that is wanted; False where none is within this time, or after
        `close`."""
        try:
            model = self._queue.get(timeout=timeout_s)
        except queue.Empty:
            return False
        if model is None:
            return False
        try:
            model.load()
        except Exception as e:  # the call that wants it fails, and says so to people
            logger.error("model %s/%s does not come back: %s", model.task, model.name, e)
        return True

    def _run(self) -> None:
        while self.load_next():
            pass

    def _make_room(self, spared: ManagedModel) -> None:
        """Unload models that were used least lately."""
        with self._lock:
            models = [m for m in self._models if m.is_loaded]
            n_bytes = sum(m.size_bytes for m in models)
            stays = {id(m) for m in _smallest(self._models)} | {id(spared)}
            coldest_first = sorted(models, key=lambda m: m.used_at_s)
            gone = []
            for model in [m for m in coldest_first if id(m) not in stays]:
                if n_bytes <= self._most_bytes:
                    break
                model.unload()
                n_bytes -= model.size_bytes
                gone.append(model)
        if gone:
            give_back_free_memory()
        for model in gone:
            self._tell(model)
        if n_bytes > self._most_bytes and not self._is_short:
            logger.warning(
                "the smallest models of all tasks, and the one that is wanted, take %.1f MB, more "
                "than --max-model-mb %g",
                n_bytes / 1e6,
                self._most_bytes / 1e6,
            )
        self._is_short = n_bytes > self._most_bytes


def _smallest(models: Collection[ManagedModel]) -> Collection[ManagedModel]:
    """The smallest of each task that answers by itself."""
    found: dict[str, ManagedModel] = {}
    for model in [m for m in models if not m.explains]:
        if model.task not in found or model.size_bytes < found[model.task].size_bytes:
            found[model.task] = model
    return found.values()
