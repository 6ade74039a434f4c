"""Trying models in a process of their own before they are loaded where requests are answered: one
that crashes or never returns is refused, and ends no worker."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from ounce_schemas.card import ModelCard
from ounce_schemas.errors import ArtifactError
from ounce_schemas.task import TaskSpec

from ounce_edge.models.catalogue import Trial
from ounce_edge.models.checks import check_model, sample_inputs
from ounce_edge.models.runtimes.base import CrashedError, Runtime
from ounce_edge.models.runtimes.isolation import Isolation
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime

_ITEMS = 256
"""Made inputs that a model has to answer at once."""


@contextmanager
def first_trial(threads: int) -> Iterator[Trial]:
    """Tries models one after the other. The process starts with the first of them.

    Args:
        threads: of the runtime.
    """
    make = partial(OnnxCpuRuntime, threads)
    isolation = Isolation(make)
    isolation.begin()
    try:
        yield partial(_try, isolation, make)
    finally:
        isolation.end()


def _try(
    isolation: Isolation,
    make: Callable[[], Runtime],
    path: Path,
    content: bytes,
    task: TaskSpec,
    card: ModelCard,
) -> None:
    try:
        isolation.call(_run, make, path, content, task, card)
    except CrashedError as e:
        raise ArtifactError(f"{path}: {e}") from e
    except RuntimeError as e:
        raise ArtifactError(f"{path}: does not run: {' '.join(str(e).split())}") from e


def _run(
    make: Callable[[], Runtime], path: Path, content: bytes, task: TaskSpec, card: ModelCard
) -> None:
    model = make().load(path, content)
    check_model(path, model, task, card)
    model.run(sample_inputs(task.inputs, _ITEMS))
