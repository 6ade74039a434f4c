"""Putting in service what is copied into the folder of models, or trained there."""

import logging
from collections.abc import Collection
from pathlib import Path

from ounce_edge.models.folder_watch import FolderWatch
from ounce_edge.worker.reload import Reload

logger = logging.getLogger(__name__)


class ModelWatching:
    """Looks at the folders of a worker's tasks.

    Args:
        models: the folder of all tasks.
        tasks: their names. What the folder holds of them now is what serves.
    """

    def __init__(self, models: Path, tasks: Collection[str]) -> None:
        self._models = models
        self._watches = {task: FolderWatch(models / task) for task in tasks}

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
