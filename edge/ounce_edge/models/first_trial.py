"""Trying a model in a process of its own before it is loaded where requests are answered: one that
crashes or never returns is refused, and ends no worker."""

from collections.abc import Callable
from pathlib import Path

from ounce_schemas.card import ModelCard
from ounce_schemas.errors import ArtifactError
from ounce_schemas.task import TaskSpec

from ounce_edge.models.checks import check_model, sample_inputs
from ounce_edge.models.runtimes.base import CrashedError, Runtime
from ounce_edge.models.runtimes.isolation import Isolation

_ITEMS = 256
"""Made inputs that it has to answer at once."""


class FirstTrial:
    """Tries models; for one thread.

    Args:
        make: makes the runtime in the process; what `spawn` can send there.
    """

    def __init__(self, make: Callable[[], Runtime]) -> None:
        self._make = make
        self._isolation = Isolation(make)

    def __call__(self, path: Path, content: bytes, task: TaskSpec, card: ModelCard) -> None:
        """Try one.

        Args:
            path: of its file.
            content: of the file.
            task: that it is to serve.
            card: of the model.

        Raises:
            ArtifactError: it can't be loaded, fails, or takes its process down.
        """
        self._isolation.begin()
        try:
            self._isolation.call(_run, self._make, path, content, task, card)
        except CrashedError as e:
            raise ArtifactError(f"{path}: {e}") from e
        except RuntimeError as e:
            raise ArtifactError(f"{path}: does not run: {' '.join(str(e).split())}") from e
        finally:
            self._isolation.end()


def _run(
    make: Callable[[], Runtime], path: Path, content: bytes, task: TaskSpec, card: ModelCard
) -> None:
    model = make().load(path, content)
    check_model(path, model, task, card)
    model.run(sample_inputs(task.inputs, _ITEMS))
