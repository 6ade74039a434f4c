"""Missing engines are built beside a worker, while the CPU serves."""

import logging
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from ounce_edge.models.catalogue import Ladder
from ounce_edge.models.runtimes.tensorrt.libraries import Flavour

logger = logging.getLogger(__name__)

_OUNCE = (
    sys.executable,
    "-P",
    "-c",
    "from ounce_edge.models.runtimes.parent import end_with_parent; end_with_parent(); "
    "from ounce_schemas.command import main; main()",
)
_END_S = 5.0


class EngineBuilding:
    """Runs `ounce engines build` for each ladder that it is given, one after the other. Engines
    that are there are not built again; whoever watches the cache puts new ones in service.

    Args:
        engines: the cache.
        flavour: which TensorRT builds them.
        command: that builds.
    """

    def __init__(
        self,
        engines: Path,
        flavour: Flavour = Flavour.NATIVE,
        command: Sequence[str] = _OUNCE,
    ) -> None:
        self._options = ("--cache", str(engines), "--tensorrt", str(flavour))
        self._command = command
        self._asked: dict[str, frozenset[str]] = {}
        """By task, digests of the models that were asked for last."""
        self._waiting = queue.Queue[tuple[str, Path] | None]()
        self._child: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="engines", daemon=True)
        self._thread.start()

    def add(self, task: str, models: Path, ladder: Ladder) -> None:
        """Have the engines of a ladder built, soon.

        Args:
            task: its name.
            models: the folder of all tasks that it was read from.
            ladder: what serves.
        """
        digests = frozenset(model.card.sha256 for model in ladder.models)
        if not digests <= self._asked.get(task, frozenset()):
            self._asked[task] = digests
            self._waiting.put((task, models))

    def wait(self, timeout_s: float) -> bool:
        """Whether all is built, or given up, within this time."""
        end_s = time.monotonic() + timeout_s
        with self._waiting.all_tasks_done:
            while self._waiting.unfinished_tasks and time.monotonic() < end_s:
                self._waiting.all_tasks_done.wait(end_s - time.monotonic())
            return not self._waiting.unfinished_tasks

    def close(self) -> None:
        """Stop; an engine that is half built is lost."""
        with self._lock:
            self._is_closed = True
            if self._child is not None:
                self._child.terminate()
        self._waiting.put(None)
        self._thread.join(_END_S)

    def _run(self) -> None:
        while True:
            wanted = self._waiting.get()
            try:
                if wanted is None:
                    return
                self._build(*wanted)
            except Exception:  # without this the thread would end, and nobody would know
                logger.exception("an engine is not built")
            finally:
                self._waiting.task_done()

    def _build(self, task: str, models: Path) -> None:
        words = ["engines", "build", task, "--models", str(models), *self._options]
        with self._lock:
            if self._is_closed:
                return
            self._child = child = subprocess.Popen(
                [*self._command, *words],
                stdin=subprocess.PIPE,  # its end tells the process that this one is gone
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        with child:
            assert child.stdout is not None
            for line in child.stdout:
                logger.info("engines: %s", line.rstrip())
        if child.returncode:
            logger.warning("no engines of %s: exit code %d", task, child.returncode)
