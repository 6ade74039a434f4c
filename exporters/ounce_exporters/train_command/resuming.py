"""`ounce train --resume`: what a training is of, and what is said of an interrupted one."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console

from ounce_exporters.ladder.recipe import Recipe, TaskData
from ounce_exporters.progress.console import say
from ounce_exporters.train_command.settings import TrainSettings
from ounce_exporters.training.checkpoints import RUN_FILE, keep_checkpoints

_ELSEWHERE = {"models", "data", "test", "report", "resume", "advice", "time_limit"}
"""Options that say where things are, or when to stop: the data itself is compared."""


@contextmanager
def resumable(
    data: TaskData, recipes: Sequence[Recipe], settings: TrainSettings, console: Console
) -> Iterator[None]:
    """Networks that learn inside keep checkpoints beside the task's folder until all are made.

    Raises:
        DataError: `--resume`, and what is there is of another training.
        ArtifactError: the folder can't be written.
    """
    folder = settings.folder / f".checkpoints-{data.spec.name}"
    if (folder / RUN_FILE).exists() and not settings.resume:
        say(console, "Note: an interrupted training is begun anew; --resume would go on with it")
    with keep_checkpoints(folder, _run(data, recipes, settings), resume=settings.resume) as found:
        if settings.resume and found:
            say(console, "Note: networks go on where an interrupted training left them")
        elif settings.resume:
            say(console, "Note: there is nothing to resume: training begins anew")
        try:
            yield
        except (KeyboardInterrupt, SystemExit):
            if any(folder.glob("*.safetensors")):
                say(console, "Note: the same command with --resume goes on with this training")
            raise


def _run(data: TaskData, recipes: Sequence[Recipe], settings: TrainSettings) -> dict[str, Any]:
    options = settings.model_dump(mode="json", exclude=_ELSEWHERE)
    return {
        "data": data.sha256,
        "option": {f"--{name.strip('_').replace('_', '-')}": v for name, v in options.items()},
        "models": ", ".join(recipe.name for recipe in recipes),
    }
