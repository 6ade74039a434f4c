"""A runtime whose models are within a budget of memory, or are loaded later."""

from pathlib import Path

from ounce_edge.models.model_memory import Check, ManagedModel, ModelMemory
from ounce_edge.models.runtimes.base import LoadedModel, Runtime


class ManagedRuntime:
    """Loads models that are within a budget, and some of them later. Implements `LoadsLater`.

    Args:
        runtime: loads them.
        memory: has the budget.
        is_limited: whether there is one. Else only what is loaded later is managed.
    """

    def __init__(self, runtime: Runtime, memory: ModelMemory, is_limited: bool = True) -> None:
        self._runtime, self._memory, self._is_limited = runtime, memory, is_limited

    @property
    def name(self) -> str:
        """Of the runtime that loads."""
        return self._runtime.name

    @property
    def threads(self) -> int:
        """Threads that one call may use."""
        return self._runtime.threads

    def load(self, path: Path, content: bytes) -> LoadedModel:
        """As `Runtime` says."""
        if not self._is_limited:
            return self._runtime.load(path, content)
        return self._managed(path, content)

    def load_later(self, path: Path, content: bytes, check: Check) -> LoadedModel:
        """As `LoadsLater` says."""
        return self._managed(path, content, check)

    def _managed(self, path: Path, content: bytes, later: Check | None = None) -> ManagedModel:
        model = ManagedModel(self._memory, self._runtime, path, content, later)
        self._memory.add(model)
        return model
