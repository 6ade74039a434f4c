"""The page that says which models serve each task, and which were to and why they do not."""

from dataclasses import dataclass, field

import msgspec
from ounce_schemas.models_page import TaskModels

from ounce_edge.models.catalogue import Ladder


@dataclass
class ModelsPage:
    """Written by the thread that changes models, read by the server's; single assignments, so no
    lock."""

    _tasks: dict[str, TaskModels] = field(default_factory=dict)

    def show(self, ladder: Ladder, release: str) -> None:
        """These models serve, and they are what is asked for.

        Args:
            ladder: of a task.
            release: digest of the release that they are of; empty: they are of the folder.
        """
        models = {served.card.model: served.card.version for served in ladder.models}
        self._tasks[ladder.task.name] = TaskModels(
            ladder.task.name, ladder.version, models, release, release, "", tuple(ladder.refused)
        )

    def show_refused(self, task: str, asked: str, why: str) -> None:
        """Others were asked for, and nothing of them serves.

        Args:
            task: that serves other models.
            asked: digest of the release; empty: the worker's folder.
            why: in a sentence.
        """
        before = self._tasks.get(task) or TaskModels(task, "", {})
        self._tasks[task] = msgspec.structs.replace(before, asked=asked, why=why)

    def body(self) -> bytes:
        """The page, JSON."""
        return msgspec.json.encode([self._tasks[task] for task in sorted(self._tasks)])
