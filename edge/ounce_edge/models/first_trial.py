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
from ounce_edge.models.first_beliefs import START_UP_BATCH_SIZES
from ounce_edge.models.runtimes.apart_process import Limits
from ounce_edge.models.runtimes.base import CrashedError, Runtime
from ounce_edge.models.runtimes.isolation import Isolation
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime

_ITEMS = 256
"""Made inputs that a model has to answer, in calls as large as it is measured with."""
_LIMITS = Limits(run_s=Limits.load_s)
"""A trial is one call, with a load in it."""


@contextmanager
def first_trial(threads: int) -> Iterator[Trial]:
    """Tries models one after the other. The process starts with the first of them.

    Args:
        threads: of the runtime.
    """
    make = partial(OnnxCpuRuntime, threads)
    isolation = Isolation(make, _LIMITS)
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
    n = min(card.latency.batches[-1].batch_size, START_UP_BATCH_SIZES[-1])
    for seed in range(-(-_ITEMS // n)):
        model.run(sample_inputs(task.inputs, n, seed))
