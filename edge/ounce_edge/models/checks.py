"""Whether a loaded file is what its card says: signature, a run, canaries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.card import ModelCard
from ounce_schemas.errors import ArtifactError
from ounce_schemas.task import TaskSpec, TensorSpec
from ounce_schemas.wording import counted

from ounce_edge.models.canaries import check_canaries
from ounce_edge.models.runtimes.base import (
    Inputs,
    LoadedModel,
    RuntimeDownError,
    TensorSignature,
)

EXPLAINED = "explained"
"""The one output of a graph that explains: answer, base and contributions, side by side."""


@dataclass(frozen=True)
class _AnswersAlone:
    """A model that explains, without what it says beside its answers."""

    model: LoadedModel
    size: int

    @property
    def inputs(self) -> Mapping[str, TensorSignature]:
        return self.model.inputs

    @property
    def outputs(self) -> Mapping[str, TensorSignature]:
        return self.model.outputs

    def run(self, inputs: Inputs) -> NDArray[np.float32]:
        return self.model.run(inputs)[:, : self.size]

    def unload(self) -> None:
        self.model.unload()


def check_explained(path: Path, model: LoadedModel, task: TaskSpec, card: ModelCard) -> None:
    """Whether a model's explanation has its signature, runs, and answers the model's canaries.

    Raises:
        ArtifactError: it does not.
    """
    assert card.explanation is not None  # else there is no file
    width = task.output.size + 1 + card.explanation.width
    wide = TensorSpec(name=EXPLAINED, datatype="FP32", shape=(width,))
    _check_signature(path, model, task, wide)
    _check_run(path, _AnswersAlone(model, task.output.size), task, card)


def check_model(path: Path, model: LoadedModel, task: TaskSpec, card: ModelCard) -> None:
    """Whether a model has the signature of its task, runs, and answers its canaries.

    Raises:
        ArtifactError: it does not.
        RuntimeDownError: what runs it is down, which says nothing of the model.
    """
    _check_signature(path, model, task, task.output)
    _check_run(path, model, task, card)


def _check_signature(path: Path, model: LoadedModel, task: TaskSpec, output: TensorSpec) -> None:
    declared = {
        "input": (dict(model.inputs), task.inputs),
        "output": (dict(model.outputs), (output,)),
    }
    for role, (found, expected) in declared.items():
        wanted = {t.name: TensorSignature(t.datatype, (None, *t.shape)) for t in expected}
        if found != wanted:
            raise ArtifactError(
                f"{path}: its {role}s are {_show(found)}, the card says {_show(wanted)}"
            )


def _check_run(path: Path, model: LoadedModel, task: TaskSpec, card: ModelCard) -> None:
    try:
        result = model.run(sample_inputs(task.inputs, 2))
        if card.canaries is not None:
            check_canaries(model, task, card.canaries)
    except ArtifactError as e:
        raise ArtifactError(f"{path}: {e}") from e
    except RuntimeDownError:
        raise
    except Exception as e:  # whatever a runtime raises, this model can't serve
        raise ArtifactError(f"{path}: does not run: {' '.join(str(e).split())}") from e
    if result.shape != (2, task.output.size) or not np.isfinite(result).all():
        odd = int(np.count_nonzero(~np.isfinite(result)))
        raise ArtifactError(
            f"{path}: answers two items with shape {result.shape} and "
            f"{counted(odd, 'value that is', 'values that are')} not finite"
        )


def sample_inputs(specs: Sequence[TensorSpec], n_items: int, seed: int = 0) -> Inputs:
    """Plausible inputs that no data is needed for: uniform over the range, or standard normal."""
    rng = np.random.default_rng(seed)
    sample: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]] = {}
    for spec in specs:
        shape = (n_items, *spec.shape)
        if spec.datatype == "BYTES":
            sample[spec.name] = np.full(shape, "", dtype=object)
        elif spec.datatype == "UINT8":
            sample[spec.name] = rng.integers(0, 256, shape, dtype=np.uint8)
        elif spec.minimum is not None and spec.maximum is not None:
            sample[spec.name] = rng.uniform(spec.minimum, spec.maximum, shape).astype(np.float32)
        else:
            sample[spec.name] = rng.standard_normal(shape).astype(np.float32)
    return sample


def _show(signature: dict[str, TensorSignature]) -> str:
    return (
        ", ".join(
            f"{name} {s.datatype}{['n' if d is None else d for d in s.shape]}".replace("'", "")
            for name, s in signature.items()
        )
        or "none"
    )
