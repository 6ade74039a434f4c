"""Building a ladder: each model is trained, exported, calibrated, checked, measured, written."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from ounce_edge.models.measurement import measure_latency
from ounce_edge.models.runtimes.base import LoadedModel, Runtime
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_schemas.card import Calibration, Latency, ModelCard, TrainingData
from ounce_schemas.documents import MODEL_FILE
from ounce_schemas.errors import ExportError

from ounce_exporters.evaluation import (
    class_figures,
    estimate_accuracy,
    expected_calibration_error,
    regression_figures,
)
from ounce_exporters.export.artifacts import fresh_folder, models_of, remove_models, write_task
from ounce_exporters.export.calibration import ConformalInterval, Temperature, fit_calibrator
from ounce_exporters.export.cards import write_card
from ounce_exporters.export.graphs import check_signature
from ounce_exporters.export.parity import check_parity
from ounce_exporters.export.provenance import library_versions, processor_name
from ounce_exporters.recipe import FittedModel, Progress, Recipe, TaskData

_SAMPLE_ITEMS = 256


class Reporter(Protocol):
    """Told what happens while a ladder is built."""

    def training(self, recipe: Recipe) -> Progress:
        """A model starts to train; the result is told the share done."""
        ...

    def exporting(self, recipe: Recipe) -> None:
        """It is trained; now it is exported, checked and measured."""
        ...

    def finished(self, recipe: Recipe, card: ModelCard) -> None:
        """It is written."""
        ...

    def failed(self, recipe: Recipe, error: ExportError) -> None:
        """It could not be exported; the others go on."""
        ...


def build_ladder(
    data: TaskData,
    recipes: Sequence[Recipe],
    models: Path,
    seed: int,
    reporter: Reporter,
    *,
    whole: bool,
) -> list[ModelCard]:
    """Build the models of a task into `models/<task>/`.

    Args:
        data: the task and its splits.
        recipes: what to build.
        models: the folder of all tasks.
        seed: of everything that is random.
        reporter: told of progress.
        whole: these are all recipes of the task; models of other names are removed at the end.

    Returns:
        Cards of what was written, in the order of the recipes.

    Raises:
        ExportError: one or more models could not be exported; the others are written.
        ArtifactError: a file can't be written.
        DataError: the folder holds models of another signature and the ladder is not built whole.
    """
    folder = models / data.spec.name
    write_task(folder, data.spec, data.test, keep_models=not whole)
    cards: list[ModelCard] = []
    errors: list[str] = []
    for recipe in recipes:
        try:
            fitted = recipe.fit(data, seed, reporter.training(recipe))
            reporter.exporting(recipe)
            card = export_model(data, recipe, fitted, folder, seed)
        except ExportError as e:
            reporter.failed(recipe, e)
            errors.append(f"{recipe.name}: {e}")
        else:
            reporter.finished(recipe, card)
            cards.append(card)
    if errors:
        raise ExportError(
            f"task {data.spec.name!r}: {len(errors)} of {len(recipes)} models failed: "
            + "; ".join(errors)
        )
    if whole:
        names = {recipe.name for recipe in recipes}
        remove_models(folder, [name for name in models_of(folder) if name not in names])
    return cards


def export_model(
    data: TaskData, recipe: Recipe, fitted: FittedModel, folder: Path, seed: int
) -> ModelCard:
    """Calibrate a trained model, check and measure its file, and write `folder/<name>/`.

    Raises:
        ExportError: it can't be converted, or differs from the native model.
        ArtifactError: a file can't be written.
    """
    task, validation, test = data.spec, data.validation, data.test
    native = fitted.predict(test.inputs)
    calibrator = fit_calibrator(task, fitted.predict(validation.inputs), validation.targets)
    graph = check_signature(calibrator.attach(fitted.to_onnx(), task), task)
    content = graph.SerializeToString(deterministic=True)
    digest = hashlib.sha256(content).hexdigest()
    runtime = OnnxCpuRuntime(threads=1)
    with fresh_folder(folder / recipe.name) as fresh:
        (fresh / MODEL_FILE).write_bytes(content)
        model = runtime.load(fresh / MODEL_FILE)
        exported = model.run(test.inputs)
        parity = check_parity(task, exported, calibrator.apply(native))
        classifies = task.kind == "classification"
        card = ModelCard(
            task=task.name,
            model=recipe.name,
            version=digest[:12],
            family=recipe.family,
            algorithm=recipe.algorithm,
            inputs=task.inputs,
            output=task.output,
            validation_accuracy=estimate_accuracy(
                task, model.run(validation.inputs), validation.targets
            ),
            test_accuracy=estimate_accuracy(task, exported, test.targets),
            classes=class_figures(task.labels, exported, test.targets) if classifies else (),
            regression=None if classifies else regression_figures(exported, test.targets),
            calibration=_calibration(calibrator, native, exported, data),
            parity=parity,
            latency=_latency(model, runtime, data),
            size_bytes=len(content),
            parameters=fitted.parameters,
            training=TrainingData(
                sha256=data.sha256,
                source=data.source,
                n_train=len(data.train),
                n_validation=len(validation),
                n_test=len(test),
            ),
            seed=seed,
            libraries=library_versions(),
            created=datetime.now(UTC).replace(microsecond=0),
            sha256=digest,
        )
        write_card(fresh, card, task)
    return card


def _calibration(
    calibrator: Temperature | ConformalInterval,
    native: NDArray[np.float32],
    exported: NDArray[np.float32],
    data: TaskData,
) -> Calibration:
    n = len(data.validation)
    if isinstance(calibrator, ConformalInterval):
        return Calibration(method="split-conformal", n=n, half_width=calibrator.half_width)
    return Calibration(
        method="temperature",
        n=n,
        temperature=calibrator.temperature,
        ece_before=expected_calibration_error(native, data.test.targets),
        ece_after=expected_calibration_error(exported, data.test.targets),
    )


def _latency(model: LoadedModel, runtime: Runtime, data: TaskData) -> Latency:
    sample = {name: array[:_SAMPLE_ITEMS] for name, array in data.validation.inputs.items()}
    return Latency(
        runtime=runtime.name,
        machine=processor_name(),
        threads=runtime.threads,
        batches=tuple(measure_latency(model, sample)),
    )
