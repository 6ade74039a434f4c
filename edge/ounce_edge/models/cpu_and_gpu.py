"""Models on the CPU, and beside each whose engine is there the same model on the GPU."""

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from ounce_schemas.documents import MODEL_FILE
from ounce_schemas.errors import ArtifactError
from ounce_schemas.task import TaskSpec

from ounce_edge.models.canaries import answer_limit
from ounce_edge.models.catalogue import CpuOnly, Ladder, ServedModel, Trial, WhyCpu, load_ladder
from ounce_edge.models.checks import check_model, sample_inputs
from ounce_edge.models.model_memory import ManagedModel
from ounce_edge.models.runtimes.base import (
    GPU_KINDS,
    EngineAbsentError,
    LoadedModel,
    Runtime,
    kind_of,
)

logger = logging.getLogger(__name__)

SUFFIX = "-gpu"
"""Behind the name of a model on the GPU."""
_ITEMS = 32


class _DiffersError(ArtifactError):
    """A model that does not answer on the GPU as it should."""


@dataclass(frozen=True)
class CpuAndGpu:
    """A `Runtime` of the CPU, which knows the one of the GPU."""

    cpu: Runtime
    gpu: Runtime
    gpu_joules: Callable[[], float | None] = lambda: None
    """Energy that the GPU has used since some time; None where nothing measures it."""

    @property
    def name(self) -> str:
        """Of the CPU's."""
        return self.cpu.name

    @property
    def threads(self) -> int:
        """Of the CPU's."""
        return self.cpu.threads

    def load(self, path: Path, content: bytes) -> LoadedModel:
        """Load it on the CPU."""
        return self.cpu.load(path, content)


def load_everywhere(
    models_dir: Path,
    task_name: str,
    runtime: Runtime,
    *,
    serving: Ladder | None = None,
    first_trial: Trial | None = None,
) -> Ladder:
    """`load_ladder`, and where the runtime has a GPU its models there, too.

    Arguments and errors are those of `load_ladder`. A model that can't go on the GPU serves on the
    CPU alone; `cpu_only` and the log say why.
    """
    cpu = runtime.cpu if isinstance(runtime, CpuAndGpu) else runtime
    ladder = load_ladder(models_dir, task_name, cpu, serving=serving, first_trial=first_trial)
    if not isinstance(runtime, CpuAndGpu):
        return ladder
    folder = models_dir / task_name
    names = {served.card.model for served in ladder.models}
    before = {m.card.model: m for m in serving.models} if serving is not None else {}
    models, cpu_only = list(ladder.models), []
    for served in ladder.models:
        name = served.card.model + SUFFIX
        try:
            if name in names:
                raise ArtifactError("a model of this name is on the ladder")
            models.append(_on_gpu(folder, served, ladder.task, runtime.gpu, before.get(name)))
        except Exception as e:  # whatever a GPU does, the CPU serves
            found = CpuOnly(served.card.model, _why(e), " ".join(str(e).split()))
            cpu_only.append(found)
            logger.warning(
                "on the CPU alone %s/%s reason=%s: %s",
                task_name, found.model, found.why, found.text,
            )  # fmt: skip
    on_gpu = ",".join(sorted(m.card.model for m in models if m.card.model not in names))
    version = hashlib.sha256(f"{ladder.version} {on_gpu}".encode()).hexdigest()[:12]
    return replace(
        ladder, models=models, cpu_only=cpu_only, version=version if on_gpu else ladder.version
    )


def released_name(model: ServedModel) -> str:
    """What releases and folders call a model, which may run on the GPU."""
    name = model.card.model
    return name.removesuffix(SUFFIX) if model.runtime in GPU_KINDS else name


def _on_gpu(
    folder: Path, served: ServedModel, task: TaskSpec, gpu: Runtime, before: ServedModel | None
) -> ServedModel:
    """The same model on the GPU, once it answers as the CPU does."""
    card = served.card.model_copy(update={"model": served.card.model + SUFFIX})
    path = folder / served.card.model / MODEL_FILE
    if before is not None and before.card.sha256 == card.sha256:
        if isinstance(before.loaded, ManagedModel):
            before.loaded.moved(path)
        return replace(before, card=card)
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != card.sha256:
        raise ArtifactError(f"{path}: is another file than the one that serves")
    loaded = gpu.load(path, content)
    try:
        check_model(path, loaded, task, served.card)
        _check_alike(loaded, served.loaded, task)
    except ArtifactError as e:
        loaded.unload()
        raise _DiffersError(str(e)) from e
    except BaseException:
        loaded.unload()
        raise
    return ServedModel(card, loaded, 0, kind_of(gpu.name))


def _why(error: Exception) -> WhyCpu:
    if isinstance(error, EngineAbsentError):
        return WhyCpu.NO_ENGINE
    if isinstance(error, _DiffersError):
        return WhyCpu.DIFFERS
    return WhyCpu.REFUSED if isinstance(error, ArtifactError) else WhyCpu.FAILED


def _check_alike(gpu: LoadedModel, cpu: LoadedModel, task: TaskSpec) -> None:
    sample = sample_inputs(task.inputs, _ITEMS)
    differences = np.abs(gpu.run(sample) - cpu.run(sample)).max(axis=1)
    limit = answer_limit(task)
    if not (differences <= limit).all():
        raise ArtifactError(
            f"{np.count_nonzero(~(differences <= limit))} of {_ITEMS} answers differ from the "
            f"CPU's by more than {limit:g}, at most by {differences.max():.3g}"
        )
