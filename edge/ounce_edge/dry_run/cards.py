"""A task's ladder as its cards tell of it; no model is loaded."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.documents import CARD_FILE, PLANS_FILE, TASK_FILE, read_model_card, read_task
from ounce_schemas.errors import ArtifactError

from ounce_edge.models.catalogue import Ladder, ServedModel, explained_card
from ounce_edge.models.plans_file import load_plans
from ounce_edge.models.runtimes.base import Inputs, TensorSignature

Ladders = Mapping[str, Ladder]
"""By the name of their task."""


class _NotLoaded:
    """Stands where a loaded model would."""

    inputs: Mapping[str, TensorSignature] = {}
    outputs: Mapping[str, TensorSignature] = {}

    def run(self, inputs: Inputs) -> NDArray[np.float32]:
        raise NotImplementedError("only the card of this model was read")

    def unload(self) -> None:
        pass


def card_ladder(models_dir: Path, task_name: str) -> Ladder:
    """What `models_dir/task_name` promises. A card that can't be used is named in `refused`.

    Raises:
        ArtifactError: the task is absent or invalid, or no card is left.
    """
    folder = models_dir / task_name
    task = read_task(folder / TASK_FILE)
    models, refused = [], []
    for path in sorted(p for p in folder.iterdir() if (p / CARD_FILE).is_file()):
        try:
            card = read_model_card(path, task)
            own = explained_card(card)
            explained = None if own is None else ServedModel(own, _NotLoaded(), 0)
            models.append(ServedModel(card, _NotLoaded(), 0, explained=explained))
        except ArtifactError as e:
            refused.append(f"{path.name}: {e}")
    if not models:
        raise ArtifactError(f"{folder}: no model has a card that can be used")
    plans = load_plans(folder / PLANS_FILE, task, [m.card for m in models])
    return Ladder(task, models, refused, plans, "cards")


def card_ladders(models_dir: Path) -> dict[str, Ladder]:
    """Of every task in a folder, by its name.

    Raises:
        ArtifactError: one of them is invalid.
    """
    return {name: card_ladder(models_dir, name) for name in ladder_names(models_dir)}


def ladder_names(models_dir: Path) -> list[str]:
    """Of the tasks in a folder, whatever their files hold."""
    return sorted(path.parent.name for path in models_dir.glob(f"*/{TASK_FILE}"))
