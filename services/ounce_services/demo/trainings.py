"""Training the ladders that are absent, side by side: one process and one core each."""

import time
from collections.abc import Sequence
from pathlib import Path

from ounce_schemas.training_progress import ModelState, TrainingProgress

from ounce_services.demo.feed import LineFeed
from ounce_services.demo.ladders import find_ladder
from ounce_services.process.children import Child, Children, ounce_command

INCOMPLETE = 3
"""Exit code of `ounce train` where the ladder was written without a model that failed."""
_ONE_CORE = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
_LEAST_SHARE = 0.1
"""Before so much is done, nobody can tell how long the rest takes."""


class Training:
    """One `ounce train --quick` and how far it is."""

    def __init__(self, task: str, child: Child, report: Path) -> None:
        self.task = task
        self.progress: TrainingProgress | None = None
        self._child = child
        self._lines = LineFeed(report, TrainingProgress)
        self._told_s = time.monotonic()

    @property
    def seconds_left(self) -> float | None:
        """None where it can't be told yet."""
        if self.progress is None or self.progress.share < _LEAST_SHARE:
            return None
        left_s = self.progress.elapsed_s * (1 / self.progress.share - 1)
        return max(left_s - (time.monotonic() - self._told_s), 0.0)

    @property
    def failed_models(self) -> list[str]:
        """Models that the ladder goes without."""
        models = self.progress.models if self.progress else ()
        return [model.name for model in models if model.state is ModelState.FAILED]

    @property
    def log(self) -> Path:
        """What it printed."""
        return self._child.log

    @property
    def is_over(self) -> bool:
        """Whether the process ended."""
        return self._child.exit_code is not None

    def follow(self) -> None:
        """Read how far it is.

        Raises:
            ChildError: it ended without a ladder.
        """
        if lines := self._lines.read():
            self.progress = lines[-1]
            self._told_s = time.monotonic()
        if self._child.exit_code not in (None, 0, INCOMPLETE):
            raise self._child.error()


def start_trainings(
    models: Path, tasks: Sequence[str], logs: Path, children: Children
) -> list[Training]:
    """Train a quick ladder of each task that has none."""
    trainings = []
    for task in tasks:
        if find_ladder(models, task) is None:
            report = logs / f"train-{task}.jsonl"
            command = ounce_command(
                *("train", task, "--quick"), *("--models", str(models), "--report", str(report))
            )
            log = logs / f"train-{task}.log"
            child = children.start(f"ounce train {task} --quick", command, log, _ONE_CORE)
            trainings.append(Training(task, child, report))
    return trainings
