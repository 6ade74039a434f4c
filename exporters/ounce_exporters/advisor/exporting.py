"""What will serve: each finalist's graph, as `ounce train` would write it, and what it costs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ounce_edge.models.device_card import measure_device
from ounce_edge.models.measurement import measure_latency
from ounce_edge.models.process_memory import give_back_free_memory, resident_bytes
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_schemas.advice import MeasuredDevice, MeasuredModel
from ounce_schemas.device import DeviceCard

from ounce_exporters.advisor.scaling import reference_of, scale
from ounce_exporters.evaluation.judgement import learned_prior
from ounce_exporters.export.calibration import Fitted, fit_calibrator, validation_answers
from ounce_exporters.export.costs import count_cost
from ounce_exporters.export.served_graph import served_graph
from ounce_exporters.ladder.recipe import Recipe, Split, TaskData
from ounce_exporters.training.crossfit import sample

_SAMPLE_ITEMS = 256
_SECONDS = 0.3


@dataclass(frozen=True)
class Exported:
    """A finalist, learned from all rows."""

    recipe: Recipe
    content: bytes
    """Of its ONNX file."""
    counted_ns: float
    """Of an item, as `count_cost` counts it."""
    answers: NDArray[np.float32]
    """Calibrated, to the held-out rows of the race, by models that have not learned from them."""
    again: tuple[NDArray[np.float32], ...] = ()
    """The same by models that learned in other folds."""
    size_bytes: int = 0
    """Of its file, once it learns from all rows that there are: at most so many."""

    @property
    def every_answer(self) -> NDArray[np.float32]:
        """`answers`, then each of `again`; array of shape (n_divisions * n_held_out, size)."""
        return np.concatenate([self.answers, *self.again])


def export(
    recipe: Recipe,
    data: TaskData,
    held_out: Split,
    outputs: NDArray[np.float32],
    seed: int,
    again: Sequence[NDArray[np.float32]] = (),
) -> Exported:
    """Fit on all rows of the race and make the graph.

    Args:
        recipe: of the model.
        data: all rows of the race.
        held_out: rows that calibrate.
        outputs: of the race's models to them, array of shape (n_held_out, output size).
        seed: of the fit.
        again: outputs of models that learned in other folds; each of these calibrates itself.

    Raises:
        ExportError: it can't be converted.
    """
    learned = sample(data, recipe.most_rows, seed)
    fitted = recipe.fit(learned, seed, lambda done: None)
    truth = held_out.targets
    calibrator, answers = _calibrate(recipe, data, outputs, truth)
    graph = served_graph(fitted.to_onnx(), calibrator, data.spec, recipe.family)
    content = graph.SerializeToString(deterministic=True)
    return Exported(
        recipe,
        content,
        count_cost(graph),
        answers,
        tuple(_calibrate(recipe, data, other, truth)[1] for other in again),
        len(content),
    )


def _calibrate(
    recipe: Recipe, data: TaskData, outputs: NDArray[np.float32], truth: NDArray[Any]
) -> tuple[Fitted, NDArray[np.float32]]:
    calibrator = fit_calibrator(data.spec, outputs, truth, learned_prior(recipe, data, outputs))
    return calibrator, validation_answers(data.spec, calibrator, outputs, truth)


def measure(
    finalists: Sequence[Exported],
    data: TaskData,
    batch_sizes: Sequence[int],
    seconds: float = _SECONDS,
) -> list[MeasuredModel]:
    """Time calls of each file through the edge's runtime on one thread, for `seconds` a size."""
    runtime = OnnxCpuRuntime(threads=1)
    items = {name: array[:_SAMPLE_ITEMS] for name, array in data.validation.inputs.items()}
    found = []
    with TemporaryDirectory() as folder:
        for finalist in finalists:
            model = runtime.load(Path(folder) / "model.onnx", finalist.content)
            for timed in measure_latency(
                model, items, batch_sizes=batch_sizes, seconds=seconds * len(batch_sizes)
            ):
                found.append(
                    MeasuredModel(
                        model=finalist.recipe.name,
                        batch_size=timed.batch_size,
                        p50_ms=timed.p50_ms,
                        p99_ms=timed.p99_ms,
                    )
                )
    return found


def loaded_bytes(finalists: Sequence[Exported]) -> dict[str, int]:
    """Resident memory that each takes once it is loaded; empty where the system does not tell."""
    if resident_bytes() == 0:
        return {}
    runtime = OnnxCpuRuntime(threads=1)
    path = Path("model.onnx")
    # All stay loaded till the end: memory that one gives back would hide what the next one takes.
    # What the runtime takes once, for its first model, is of no model.
    loaded = [runtime.load(path, finalists[0].content)]
    found = {}
    for finalist in finalists:
        give_back_free_memory()
        before = resident_bytes()
        loaded.append(runtime.load(path, finalist.content))
        give_back_free_memory()
        added = resident_bytes() - before
        found[finalist.recipe.name] = max(added, len(finalist.content))
    return found


def measure_for(
    card: DeviceCard, finalists: Sequence[Exported], timed: Sequence[MeasuredModel]
) -> MeasuredDevice:
    """What was timed here, scaled to another machine: its reference graphs are timed here, too."""
    here = measure_device(OnnxCpuRuntime(threads=1)).reference
    references = {f.recipe.name: reference_of(f.content) for f in finalists}
    return MeasuredDevice(
        host=card.host,
        processor=card.processor,
        runtime=card.runtime,
        here=here,
        there=card.reference,
        models=scale(timed, references, here, card.reference),
    )
