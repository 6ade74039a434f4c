"""Putting in service what is copied into the folder of models, or trained there; and engines that
are built."""

import logging
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from ounce_edge.models.folder_watch import FolderWatch
from ounce_edge.models.runtimes.tensorrt.cache import EngineCache
from ounce_edge.worker.models.reload import Reload

logger = logging.getLogger(__name__)

FIRST_AGAIN_S, LAST_AGAIN_S = 60.0, 3600.0
"""From a model that could not be tried, or for which the GPU had no room, to the next try, and at
most."""


@dataclass
class _NextTry:
    """When the models of a task are loaded again."""

    at_s: float
    wait_s: float = FIRST_AGAIN_S


class ModelWatching:
    """Looks at the folders of a worker's tasks, and at the engines of a GPU.

    Args:
        models: the folder of all tasks.
        tasks: their names. What the folder holds of them now is what serves.
        engines: where there is a GPU, the cache that its engines come from.
        clock: seconds on a steady clock.
    """

    def __init__(
        self,
        models: Path,
        tasks: Collection[str],
        engines: EngineCache | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._models = models
        self._watches = {task: FolderWatch(models / task) for task in tasks}
        self._engines = engines
        self._known = self._contents()
        self._clock = clock
        self._next_tries: dict[str, _NextTry] = {}

    def look(self, reload: Reload, released: Collection[str] = ()) -> None:
        """Look once; a folder that can't be looked at costs no other task anything.

        Args:
            reload: puts in service what is new.
            released: tasks whose models come from a store.
        """
        for task, watch in self._watches.items():
            try:
                if task not in released and watch.look():
                    reload.take(task, self._models)
            except Exception:  # without this the thread would end, and nobody would know
                logger.exception("models of task %s are not looked at, trying again", task)

    def look_again(self, reload: Reload) -> None:
        """Offer models on the GPU whose engines have come, those of releases too; and from time to
        time those that failed there, since a GPU that was full may have room, and those that could
        not be tried."""
        known, self._known = self._known, self._contents()
        has_come = not self._known <= known
        for task in self._watches:
            try:
                if self._is_due(task, reload) or has_come:
                    reload.again(task)
            except Exception:
                logger.exception("models of task %s are not tried again", task)

    def _is_due(self, task: str, reload: Reload) -> bool:
        if not reload.may_find_more(task):
            self._next_tries.pop(task, None)
            return False
        now_s = self._clock()
        found = self._next_tries.setdefault(task, _NextTry(now_s + FIRST_AGAIN_S))
        if now_s < found.at_s:
            return False
        found.wait_s = min(2.0 * found.wait_s, LAST_AGAIN_S)
        found.at_s = now_s + found.wait_s
        return True

    def _contents(self) -> frozenset[tuple[str, int]]:
        return frozenset() if self._engines is None else self._engines.contents()
