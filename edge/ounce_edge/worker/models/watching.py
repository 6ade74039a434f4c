"""Putting in service what is copied into the folder of models, or trained there; and engines that
are built."""

import logging
from collections.abc import Collection
from pathlib import Path

from ounce_edge.models.folder_watch import FolderWatch
from ounce_edge.models.runtimes.tensorrt.cache import EngineCache
from ounce_edge.worker.models.reload import Reload

logger = logging.getLogger(__name__)


class ModelWatching:
    """Looks at the folders of a worker's tasks, and at the engines of a GPU.

    Args:
        models: the folder of all tasks.
        tasks: their names. What the folder holds of them now is what serves.
        engines: where there is a GPU, the cache that its engines come from.
    """

    def __init__(
        self, models: Path, tasks: Collection[str], engines: EngineCache | None = None
    ) -> None:
        self._models = models
        self._watches = {task: FolderWatch(models / task) for task in tasks}
        self._engines = engines
        self._known = self._contents()

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

    def look_at_engines(self, reload: Reload) -> None:
        """Offer models on the GPU whose engines have come, those of releases too."""
        known, self._known = self._known, self._contents()
        if self._known <= known:
            return
        for task in self._watches:
            try:
                reload.again(task)
            except Exception:
                logger.exception("engines of task %s are not looked at", task)

    def _contents(self) -> frozenset[tuple[str, int]]:
        return frozenset() if self._engines is None else self._engines.contents()
