"""What is read of a folder that is to be published, each file checked against its card."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ounce_schemas.card import ModelCard
from ounce_schemas.documents import (
    CARD_FILE,
    EXPLANATION_FILE,
    MODEL_FILE,
    TASK_FILE,
    read_model,
    read_model_card,
    read_plans,
    read_task,
)
from ounce_schemas.errors import ArtifactError
from ounce_schemas.release import ReleasedFile, served_places
from ounce_schemas.task import TaskSpec


@dataclass(frozen=True)
class Contents:
    """Files of a task's folder, or of one model's."""

    task: TaskSpec
    files: Mapping[str, bytes]
    """Their bytes, by their place in the task's folder."""
    is_whole: bool
    """Whether they are all that is to serve of the task; else they are added to what serves."""

    def released(self) -> list[ReleasedFile]:
        """What a release says of them, by place."""
        return [
            ReleasedFile(
                place=place, sha256=hashlib.sha256(content).hexdigest(), size_bytes=len(content)
            )
            for place, content in sorted(self.files.items())
        ]


def read_contents(folder: Path) -> Contents:
    """Read and check what `ounce train` wrote: the folder of a task, or of one of its models.

    Raises:
        ArtifactError: it is neither, is not whole, or a file is not what its card says.
    """
    folder = folder.resolve()
    if (folder / TASK_FILE).is_file():
        task_folder, names = folder, _models_of(folder)
    elif (folder / CARD_FILE).is_file() and (folder.parent / TASK_FILE).is_file():
        task_folder, names = folder.parent, [folder.name]
    else:
        raise ArtifactError(
            f"{folder}: is not the folder of a task ({TASK_FILE}), nor that of a model "
            f"({CARD_FILE}, beside {TASK_FILE} one folder up): name one that `ounce train` wrote"
        )
    task = read_task(task_folder / TASK_FILE)
    if not names:
        raise ArtifactError(f"{folder}: holds no model")
    places: list[str] = []
    for name in names:
        card = _check_model(task_folder / name, task)
        places += served_places(name, explained=card.explanation is not None)
    places += [p for p in served_places() if (task_folder / p).is_file()]
    if "plans.json" in places:
        read_plans(task_folder / "plans.json")
    return Contents(
        task,
        {place: (task_folder / place).read_bytes() for place in places},
        is_whole=task_folder == folder,
    )


def _models_of(folder: Path) -> Sequence[str]:
    return sorted(p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))


def _check_model(folder: Path, task: TaskSpec) -> ModelCard:
    card = read_model_card(folder, task)
    read_model(folder / MODEL_FILE, card.sha256)
    if card.explanation is not None:
        read_model(folder / EXPLANATION_FILE, card.explanation.sha256)
    return card
