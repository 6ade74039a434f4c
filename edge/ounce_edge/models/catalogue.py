"""A task's ladder as found on disk: every artifact checked against its card before it serves."""

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.card import ModelCard
from ounce_schemas.documents import (
    EXPLANATION_FILE,
    MODEL_FILE,
    PLANS_FILE,
    TASK_FILE,
    read_model,
    read_model_card,
    read_task,
)
from ounce_schemas.errors import ArtifactError
from ounce_schemas.explanation import EXPLAINED_MARK
from ounce_schemas.plans import PlanProfile
from ounce_schemas.task import TaskSpec
from ounce_schemas.wording import shell_word

from ounce_edge.models.checks import check_explained, check_model
from ounce_edge.models.model_memory import ManagedModel
from ounce_edge.models.plans_file import load_plans
from ounce_edge.models.process_memory import resident_bytes
from ounce_edge.models.runtimes.base import Inputs, LoadedModel, LoadsLater, Runtime, kind_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ServedModel:
    """A model that passed every check."""

    card: ModelCard
    loaded: LoadedModel
    memory_bytes: int
    """Resident memory that loading it added to the process."""
    runtime: str | None = None
    """What runs it, as policies call it; None: it is not loaded."""
    explained: "ServedModel | None" = None
    """The same answers with explanations, from a graph with a card of its own; None: there is none.
    """
    most_items: int | None = None
    """Of one call of the runtime, as many as were measured; None: any number."""

    def run(self, inputs: Inputs) -> NDArray[np.float32]:
        """As `LoadedModel` says, in calls of `most_items`."""
        n, most = len(next(iter(inputs.values()))), self.most_items
        if most is None or n <= most:
            return self.loaded.run(inputs)
        starts = range(0, n, most)
        return np.concatenate(
            [self.loaded.run({k: v[i : i + most] for k, v in inputs.items()}) for i in starts]
        )

    @property
    def resident_bytes(self) -> int:
        """Memory that it takes at this moment; 0 while it is not loaded."""
        if isinstance(self.loaded, ManagedModel):
            return self.loaded.size_bytes if self.loaded.is_loaded else 0
        return self.memory_bytes


class WhyCpu(StrEnum):
    """Why a model is not on the GPU."""

    NO_ENGINE = "no-engine"
    """None is built yet."""
    REFUSED = "refused"
    """TensorRT does not take it."""
    DIFFERS = "differs"
    """It does not run there, or not as it does on the CPU."""
    FAILED = "failed"
    """The GPU has no room, or fails."""


@dataclass(frozen=True)
class CpuOnly:
    """A model that is not on the GPU."""

    model: str
    why: WhyCpu
    text: str
    """All that is known of it."""


@dataclass(frozen=True)
class Ladder:
    """A task and the models that may serve it."""

    task: TaskSpec
    models: Sequence[ServedModel]
    refused: Sequence[str]
    """One line for each model, or explanation of one, that was refused: its name and why."""
    plans: Sequence[PlanProfile]
    """What was planned for these very model files; may be empty: then each model is a plan."""
    version: str
    """Digest of what serves: the same models give the same version on every worker."""
    cpu_only: Sequence[CpuOnly] = ()
    """Where there is a GPU, the models that are not on it."""
    is_tried: bool = True
    """Whether each model was tried that is to serve; else a later load may find more of them."""
    all_refused: bool = False
    """Whether none is of those that are to serve: all are those of their names that served."""

    @property
    def n_refused(self) -> int:
        """Models that were refused; one whose explanation alone was is none."""
        names = [line.partition(": ")[0] for line in self.refused]
        return sum(not name.endswith(EXPLAINED_MARK) for name in names)


class NotTriedError(ArtifactError):
    """A trial that says nothing of the model, as where memory is short: a later one may."""


Trial = Callable[[Path, bytes, TaskSpec, ModelCard], None]
"""Takes the file of a model or of what explains it, its content, and the model's task and card.
Raises ArtifactError where it can't serve, NotTriedError where nobody knows."""


def load_ladder(
    models_dir: Path,
    task_name: str,
    runtime: Runtime,
    *,
    with_plans: bool = True,
    serving: Ladder | None = None,
    first_trial: Trial | None = None,
) -> Ladder:
    """Load and verify every model under `models_dir/task_name`.

    A model whose digest or signature differs from its card, or that does not run, is refused and
    named in the log; the others serve. A model whose explanation is refused serves. Without
    `with_plans`, plans are neither read nor missed.

    Args:
        models_dir: a folder for each task.
        task_name: of the task.
        runtime: loads the models.
        with_plans: whether plans are read.
        serving: what serves. A file that is loaded is not loaded again, and a model that is refused
            leaves the one of its name in service.
        first_trial: tries each file before it is loaded; None: nobody does.

    Raises:
        ArtifactError: the task is absent or invalid, or another one than what serves; or no model
            is left.
        NotTriedError: no model is left, and one could not be tried.
    """
    folder = models_dir / task_name
    if not (folder / TASK_FILE).is_file():
        others = sorted(path.parent.name for path in models_dir.glob(f"*/{TASK_FILE}"))
        raise ArtifactError(
            f"{folder}: no {TASK_FILE} there; make the ladder with "
            f"`ounce train {task_name} --models {shell_word(models_dir)}`"
            + (f", or name a task that {models_dir} has: {', '.join(others)}" if others else "")
        )
    task = read_task(folder / TASK_FILE)
    if task.name != task_name:
        raise ArtifactError(f"{folder / TASK_FILE}: holds task {task.name!r}, not {task_name!r}")
    if serving is not None and not task.is_asked_like(serving.task):
        raise ArtifactError(
            f"{folder / TASK_FILE}: its inputs, outputs or labels are not those of the task that "
            "serves; a worker that starts anew takes it"
        )
    loaded = {m.card.model: m for m in serving.models} if serving is not None else {}
    models, refused, is_tried, is_new = [], list[str](), True, False
    for path in sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".")):
        name, explained = path.name, None
        before = loaded.get(name)
        try:
            model = _load_model(path, task, runtime, before, first_trial)
        except ArtifactError as e:
            is_tried &= not isinstance(e, NotTriedError)
            refused.append(f"{name}: {e}")
            logger.error("model refused task=%s model=%s reason=%s", task_name, name, e)
            if before is not None:
                models.append(before)
            continue
        is_new = True
        if before is not None and before.card.sha256 == model.card.sha256:
            explained = before.explained
        try:
            explained = _load_explained(path, task, model.card, runtime, explained, first_trial)
        except ArtifactError as e:
            is_tried &= not isinstance(e, NotTriedError)
            refused.append(f"{name}{EXPLAINED_MARK}: {e}")
            logger.error("explanation refused task=%s model=%s reason=%s", task_name, name, e)
        models.append(replace(model, explained=explained))
    if not models:
        why = "; ".join(refused) if refused else "there is none"
        text = f"{folder}: no model can serve: {why}"
        raise ArtifactError(text) if is_tried else NotTriedError(text)
    cards = [m.card for m in models]
    plans = load_plans(folder / PLANS_FILE, task, cards) if with_plans else []
    names = [m.card.sha256 for m in models] + [p.name for p in plans if p.is_cascade]
    names += [m.explained.card.sha256 for m in models if m.explained is not None]
    digest = hashlib.sha256("".join(sorted(names)).encode())
    version = digest.hexdigest()[:12]
    return Ladder(task, models, refused, plans, version, is_tried=is_tried, all_refused=not is_new)


def _load_model(
    folder: Path,
    task: TaskSpec,
    runtime: Runtime,
    before: ServedModel | None,
    first_trial: Trial | None,
) -> ServedModel:
    card, path = read_model_card(folder, task), folder / MODEL_FILE
    content = read_model(path, card.sha256)
    if before is not None and before.card.sha256 == card.sha256:
        if isinstance(before.loaded, ManagedModel):
            before.loaded.moved(path)
        return replace(before, card=card)
    # What was checked is what is loaded: the file may be another one by now.
    if first_trial is not None:
        first_trial(path, content, task, card)
    resident_before = resident_bytes()
    loaded = runtime.load(path, content)
    check_model(path, loaded, task, card)
    added_bytes = max(resident_bytes() - resident_before, 0)
    return ServedModel(card, loaded, added_bytes, kind_of(runtime.name))


def explained_card(card: ModelCard) -> ModelCard | None:
    """What a card says of the model's answers with explanations; None: there are none."""
    own = card.explanation
    if own is None:
        return None
    update = {"latency": own.latency, "size_bytes": own.size_bytes, "sha256": own.sha256}
    return card.model_copy(update=update)


def _load_explained(
    folder: Path,
    task: TaskSpec,
    card: ModelCard,
    runtime: Runtime,
    before: ServedModel | None,
    first_trial: Trial | None,
) -> ServedModel | None:
    """Verify a model's explanation, and load it: where the runtime can, once it is wanted. What
    serves `before` is not loaded again where it is the same."""
    own = explained_card(card)
    if own is None:
        return None
    kind, path = kind_of(runtime.name), folder / EXPLANATION_FILE
    most = own.latency.batches[-1].batch_size  # it may run the model for each part of each item
    if before is not None and before.card.sha256 == own.sha256:
        if isinstance(before.loaded, ManagedModel):
            before.loaded.moved(path)
        return replace(before, card=own)
    content = read_model(path, own.sha256)
    if first_trial is not None:
        first_trial(path, content, task, card)
    if isinstance(runtime, LoadsLater):
        check = partial(check_explained, task=task, card=card)
        later = runtime.load_later(path, content, check)
        return ServedModel(own, later, len(content), kind, most_items=most)
    resident_before = resident_bytes()
    loaded = runtime.load(path, content)
    check_explained(path, loaded, task, card)
    added_bytes = max(resident_bytes() - resident_before, 0)
    return ServedModel(own, loaded, added_bytes, kind, most_items=most)
