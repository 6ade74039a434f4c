"""Trying models in a process of their own before they are loaded where requests are answered: one
that crashes or never returns is refused, and ends no worker."""

import hashlib
import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from ounce_schemas.card import LatencyAtBatch, ModelCard
from ounce_schemas.documents import EXPLANATION_FILE
from ounce_schemas.errors import ArtifactError
from ounce_schemas.task import TaskSpec

from ounce_edge.models.catalogue import NotTriedError, Trial
from ounce_edge.models.checks import check_explained, check_model, sample_inputs
from ounce_edge.models.first_beliefs import START_UP_BATCH_SIZES
from ounce_edge.models.runtimes.apart_process import Limits
from ounce_edge.models.runtimes.base import CrashedError
from ounce_edge.models.runtimes.isolation import Isolation, lacks_memory
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_edge.models.tried import Tried

logger = logging.getLogger(__name__)

_ITEMS = 256
"""Made inputs that a model has to answer, in calls as large as it is measured with."""
_MOST_MS = 5000.0
"""That these may take by the card, but for one call. A device may be many times slower."""
_LIMITS = Limits(run_s=Limits.load_s)
"""A trial is one call, with a load in it."""

_AGAIN = ": it is tried again, in a minute at first and at most hourly"


@contextmanager
def first_trial(
    threads: int, tried: Tried | None = None, *, needs_process: bool = True
) -> Iterator[Trial]:
    """Tries models one after the other. The process starts with the first of them.

    Args:
        threads: of the runtime.
        tried: what passed before is not tried again; what passes is remembered there.
        needs_process: whether a model waits where there can be no process. Else it is loaded
            untried: where nothing serves yet, there is nothing to protect.
    """
    isolation = Isolation(partial(OnnxCpuRuntime, threads), _LIMITS)
    isolation.begin()
    try:
        yield _FirstTrial(threads, isolation, tried, needs_process)
    finally:
        isolation.end()


@dataclass
class _FirstTrial:
    """Implements `Trial`."""

    threads: int
    isolation: Isolation
    tried: Tried | None
    needs_process: bool
    failed: dict[tuple[Path, str], tuple[type[ArtifactError], str]] = field(default_factory=dict)
    """The errors of those that did not pass, in parts, since an error holds what it was raised by.
    A ladder may be loaded twice, a crash is enough once."""

    def __call__(self, path: Path, content: bytes, task: TaskSpec, card: ModelCard) -> None:
        key = path, hashlib.sha256(content).hexdigest()
        if key in self.failed:
            error, text = self.failed[key]
            raise error(text)
        if self.tried is not None and self.tried.has_passed(path.name, task, card):
            return
        try:
            self._try(path, content, task, card)
        except ArtifactError as e:
            self.failed[key] = type(e), str(e)
            raise

    def _try(self, path: Path, content: bytes, task: TaskSpec, card: ModelCard) -> None:
        if not self.isolation.reach():
            why = f"there can be no process to try it in: {self.isolation.failure}"
            if self.needs_process:
                self._begin_anew()
                raise NotTriedError(f"{path}: {why}{_AGAIN}")
            logger.warning("%s is loaded untried: %s", path, why)
            return
        try:
            self.isolation.call(_run, self.threads, path, content, task, card)
        except CrashedError as e:
            if e.is_killed:
                raise NotTriedError(
                    f"{path}: its trial {e}, as where memory is short{_AGAIN}"
                ) from e
            raise ArtifactError(f"{path}: {e}") from e
        except (ArtifactError, RuntimeError) as e:
            text = " ".join(str(e).split())
            if lacks_memory(text):
                self._begin_anew()  # the process may keep what the trial took
                raise NotTriedError(
                    f"{path}: its trial wants more memory than is free{_AGAIN}"
                ) from e
            if isinstance(e, ArtifactError):
                raise
            raise ArtifactError(f"{path}: does not run: {text}") from e
        if self.tried is not None:
            self.tried.passed(path.name, task, card)

    def _begin_anew(self) -> None:
        self.isolation.end()
        self.isolation.begin()


def _run(threads: int, path: Path, content: bytes, task: TaskSpec, card: ModelCard) -> None:
    model = OnnxCpuRuntime(threads).load(path, content)
    batches = card.latency.batches
    if path.name == EXPLANATION_FILE:
        assert card.explanation is not None  # else there is no file
        batches = card.explanation.latency.batches
        check_explained(path, model, task, card)
    else:
        check_model(path, model, task, card)
    n, calls = made_calls(batches[-1])
    for seed in range(calls):
        model.run(sample_inputs(task.inputs, n, seed))


def made_calls(largest: LatencyAtBatch) -> tuple[int, int]:
    """Items in each call of made inputs, and how many calls.

    Args:
        largest: the largest batch of the card.
    """
    n = min(largest.batch_size, START_UP_BATCH_SIZES[-1])
    each_ms = largest.p50_ms / largest.batch_size
    return n, max(math.ceil(min(_ITEMS, _MOST_MS / each_ms) / n), 1)
