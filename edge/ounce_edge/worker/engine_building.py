"""Engines that are missing when a worker starts are built beside it, while the CPU serves."""

import logging
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

logger = logging.getLogger(__name__)

_OUNCE = (sys.executable, "-c", "from ounce_schemas.command import main; main()")
_END_S = 5.0


class EngineBuilding:
    """Runs `ounce engines build` once for each folder of models, one after the other. Engines that
    are there are not built again; whoever watches the cache puts new ones in service.

    Args:
        folders: by task, the folder of models that it is served from.
        engines: the cache.
        command: that builds.
    """

    def __init__(
        self, folders: Mapping[str, Path], engines: Path, command: Sequence[str] = _OUNCE
    ) -> None:
        self._folders, self._engines, self._command = folders, engines, command
        self._child: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="engines", daemon=True)
        self._thread.start()

    def wait(self, timeout_s: float) -> bool:
        """Whether all is built, or given up, within this time."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def close(self) -> None:
        """Stop; an engine that is half built is lost."""
        with self._lock:
            self._is_closed = True
            if self._child is not None:
                self._child.terminate()
        self._thread.join(_END_S)

    def _run(self) -> None:
        for folder in sorted(set(self._folders.values())):
            tasks = sorted(task for task, of in self._folders.items() if of == folder)
            words = ["engines", "build", *tasks, "--models", str(folder)]
            command = [*self._command, *words, "--cache", str(self._engines)]
            with self._lock:
                if self._is_closed:
                    return
                self._child = child = subprocess.Popen(
                    command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
                )
            with child:
                assert child.stdout is not None
                for line in child.stdout:
                    logger.info("engines: %s", line.rstrip())
            if child.returncode:
                logger.warning("no engines of %s: exit code %d", tasks, child.returncode)
