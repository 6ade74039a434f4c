"""Watching the folder of models, on a thread of its own."""

import logging
import threading
from collections.abc import Iterable
from pathlib import Path

from ounce_edge.models.folder_watch import FolderWatch
from ounce_edge.worker.reload import Reload

logger = logging.getLogger(__name__)


class ModelWatching:
    """Puts in service what is copied into a folder, or trained there.

    Args:
        models: the folder of all tasks.
        tasks: their names. What the folder holds of them now is what serves.
        every_s: seconds from one look to the next.
    """

    def __init__(self, models: Path, tasks: Iterable[str], every_s: float) -> None:
        self._models = models
        self._watches = {task: FolderWatch(models / task) for task in tasks}
        self._every_s = every_s
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, reload: Reload) -> None:
        """Begin to look."""
        self._thread = threading.Thread(
            target=self._run, args=(reload,), name="models", daemon=True
        )
        self._thread.start()

    def look(self, reload: Reload) -> None:
        """Look once; a folder that can't be looked at costs no other task anything."""
        for task, watch in self._watches.items():
            try:
                if watch.look():
                    reload.take(task, self._models)
            except Exception:  # without this the thread would end, and nobody would know
                logger.exception("models of task %s are not looked at, trying again", task)

    def close(self) -> None:
        """Stop looking; what is being loaded is left, since it need not be whole."""
        self._stopping.set()

    def _run(self, reload: Reload) -> None:
        while not self._stopping.wait(self._every_s):
            self.look(reload)
