"""Which models passed their first trial on this machine, remembered for the next start."""

import hashlib
import logging
from contextlib import suppress
from pathlib import Path

from ounce_schemas import __version__
from ounce_schemas.card import ModelCard
from ounce_schemas.task import TaskSpec

from ounce_edge.models.processor import processor_name

logger = logging.getLogger(__name__)

_MOST = 1000
"""Models that are remembered; of more, those that passed longest ago are tried again."""


class Tried:
    """One empty file for each model that passed. Several workers may share a folder.

    Args:
        folder: made where it is absent. One that can't be used costs the next start its trials.
        runtime: name and version of what ran the models.
    """

    def __init__(self, folder: Path, runtime: str) -> None:
        self._folder = folder
        self._where = f"{__version__} {runtime} {processor_name()}"

    def has_passed(self, file: str, task: TaskSpec, card: ModelCard) -> bool:
        """Whether a file passed, for this task, by this card, which has the file's digest.

        Args:
            file: name of the model's file.
            task: of the model.
            card: of the model.
        """
        try:
            return self._place(file, task, card).is_file()
        except OSError:  # as where another user's folder may not be looked into
            return False

    def passed(self, file: str, task: TaskSpec, card: ModelCard) -> None:
        """Remember it; arguments are those of `has_passed`."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._place(file, task, card).touch()
            self._forget()
        except OSError as e:
            logger.info("the next start tries %s again: %s", card.model, e)

    def _place(self, file: str, task: TaskSpec, card: ModelCard) -> Path:
        parts = (self._where, file, task.model_dump_json(), card.model_dump_json())
        return self._folder / hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def _forget(self) -> None:
        found = list(self._folder.iterdir())
        if len(found) > _MOST:
            with suppress(FileNotFoundError):  # another worker forgets it, too
                min(found, key=lambda path: path.stat().st_mtime_ns).unlink()
