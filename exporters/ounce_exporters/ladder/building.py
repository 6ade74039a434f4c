"""Building a ladder: each model is trained, exported, calibrated, checked, measured, written."""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from ounce_edge.models.measurement import measure_latency
from ounce_edge.models.processor import processor_name
from ounce_edge.models.runtimes.base import LoadedModel, Runtime
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_schemas.card import Calibration, Latency, ModelCard, TrainingData
from ounce_schemas.documents import MODEL_FILE
from ounce_schemas.errors import ExportError, OunceError

from ounce_exporters.evaluation.figures import expected_calibration_error
from ounce_exporters.evaluation.judgement import judge, learned_prior
from ounce_exporters.explaining.making import Exported, explain
from ounce_exporters.export.answers import write_answers
from ounce_exporters.export.calibration import (
    ConformalInterval,
    Fitted,
    Temperature,
    fit_calibrator,
    validation_answers,
)
from ounce_exporters.export.canaries import choose_canaries
from ounce_exporters.export.cards import write_card
from ounce_exporters.export.cluster_odds import ClusterOdds
from ounce_exporters.export.example import example_request
from ounce_exporters.export.gpu_suitability import why_not_on_gpu
from ounce_exporters.export.p_values import ConformalPValues
from ounce_exporters.export.parity import EXACT, LIGHTER, check_parity
from ounce_exporters.export.provenance import library_versions
from ounce_exporters.export.replacement import fresh_folder
from ounce_exporters.export.served_graph import served_graph
from ounce_exporters.ladder.recipe import KeepsWeights, Progress, Recipe, TaskData
from ounce_exporters.ladder.time_limit import TimeLimit
from ounce_exporters.lighter.forms import NotWorthwhileError
from ounce_exporters.lighter.recipes import LighterModel
from ounce_exporters.report.importance import find_importances
from ounce_exporters.report.learning import find_curve
from ounce_exporters.training.checkpoints import of_model
from ounce_exporters.training.crossfit import Trained, train
from ounce_exporters.training.distillation import check_gain

_SAMPLE_ITEMS = 256

logger = logging.getLogger(__name__)


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

    def skipped(self, recipe: Recipe) -> None:
        """There is no time for it."""
        ...

    def dropped(self, recipe: Recipe, reason: str) -> None:
        """It is another form of a model, and gains nothing."""
        ...


class IncompleteLadderError(ExportError):
    """A ladder was written without some of its models; the message names them."""

    exit_code = 3


@dataclass(frozen=True)
class BuiltLadder:
    """What became of a ladder's recipes, in their order."""

    cards: Sequence[ModelCard]
    failures: Sequence[str]
    """One line for each model that failed: its name and why."""


def build_ladder(
    data: TaskData,
    recipes: Sequence[Recipe],
    models: Path,
    seed: int,
    reporter: Reporter,
    limit: TimeLimit | None = None,
) -> BuiltLadder:
    """Build the models of a task into `models/<task>/`. A model that fails costs only itself.

    Args:
        data: the task and its splits.
        recipes: what to build.
        models: the folder of all tasks; `models/<task>/` is there.
        seed: of everything that is random.
        reporter: told of progress.
        limit: asked before each model; default: none.

    Raises:
        ExportError: every model failed.
        ArtifactError: a file can't be written.
    """
    cards: list[ModelCard] = []
    failures: list[str] = []
    dropped: list[str] = []
    limit = limit or TimeLimit(None)
    for recipe in limit.order(recipes):
        if not limit.allows(recipe):
            reporter.skipped(recipe)
            continue
        try:
            with of_model(recipe.name):
                made = recipe if recipe.given is None else recipe.given(recipe, cards)
                trained = _train(made, data, seed, reporter)
                reporter.exporting(recipe)
                card = export_model(data, made, trained, models / data.spec.name, seed)
        except NotWorthwhileError as e:
            reporter.dropped(recipe, str(e))
            dropped.append(f"{recipe.name}: {e}")
        except ExportError as e:
            reporter.failed(recipe, e)
            failures.append(f"{recipe.name}: {e}")
        else:
            reporter.finished(recipe, card)
            cards.append(card)
        limit.ended(recipe)
    if not cards:
        raise ExportError(
            f"task {data.spec.name!r}: every model failed, and nothing is written: "
            + "; ".join(failures + dropped)
        )
    return BuiltLadder(cards, failures)


def _train(recipe: Recipe, data: TaskData, seed: int, reporter: Reporter) -> Trained:
    try:
        return train(recipe, data, seed, reporter.training(recipe))
    except OunceError:
        raise
    except Exception as e:  # libraries raise many types; the other models go on
        logger.debug("training failed model=%s", recipe.name, exc_info=True)
        reason = " ".join(str(e).split())[:300]
        raise ExportError(f"training failed: {type(e).__name__}: {reason}") from e


def export_model(
    data: TaskData, recipe: Recipe, trained: Trained, folder: Path, seed: int
) -> ModelCard:
    """Calibrate a trained model, check and measure its file, and write `folder/<name>/`.

    Raises:
        ExportError: it can't be converted, or differs from the native model.
        NotWorthwhileError: its recipe says that it gains nothing.
        ArtifactError: a file can't be written.
    """
    task, validation, test = data.spec, data.validation, data.test
    fitted = trained.model
    native = fitted.predict(test.inputs)
    outputs, truth = trained.validation_outputs, validation.targets
    calibrator = fit_calibrator(task, outputs, truth, learned_prior(recipe, data, outputs))
    answers = validation_answers(task, calibrator, outputs, truth)
    check_gain(recipe, data, answers)
    graph = served_graph(fitted.to_onnx(), calibrator, task, recipe.family)
    content = graph.SerializeToString(deterministic=True)
    digest = hashlib.sha256(content).hexdigest()
    runtime = OnnxCpuRuntime(threads=1)
    with fresh_folder(folder / recipe.name) as fresh:
        (fresh / MODEL_FILE).write_bytes(content)
        model = runtime.load(fresh / MODEL_FILE, content)
        exported = model.run(test.inputs)
        reference, limits = native, EXACT
        if isinstance(fitted, LighterModel):
            reference = fitted.original.predict(test.inputs)
            limits = LIGHTER if fitted.form.has_fewer_bits else EXACT
        calibrated = calibrator.apply(reference)
        explained = explain(Exported(fitted, calibrator, graph), data, fresh, runtime)
        biases = calibrator.biases if isinstance(calibrator, Temperature) else ()
        try:
            parity = check_parity(task, exported, calibrated, biases, limits)
        except ExportError as e:
            if isinstance(fitted, LighterModel):  # the model itself is there
                raise NotWorthwhileError(str(e)) from e
            raise
        card = ModelCard(
            task=task.name,
            model=recipe.name,
            version=digest[:12],
            family=recipe.family,
            algorithm=recipe.algorithm,
            inputs=task.inputs,
            output=task.output,
            **judge(task, answers, exported, data),
            learning_curve=find_curve(recipe, data, trained.judge, seed),
            importances=find_importances(task, model, test),
            calibration=_calibration(calibrator, native, data),
            parity=parity,
            latency=_latency(model, runtime, data),
            explanation=explained.explanation,
            unexplained=explained.unexplained,
            not_on_gpu=why_not_on_gpu(graph),
            canaries=choose_canaries(test.inputs, exported, calibrated),
            backbone=recipe.backbone,
            size_bytes=len(content),
            parameters=fitted.parameters,
            training=TrainingData(
                sha256=data.sha256,
                source=data.source,
                n_train=len(data.train),
                n_validation=len(validation),
                n_test=len(test),
                n_folds=0 if data.folds is None else int(data.folds.max()) + 1,
                n_sampled=trained.n_sampled,
            ),
            seed=seed,
            libraries=library_versions(),
            created=datetime.now(UTC).replace(microsecond=0),
            sha256=digest,
        )
        write_card(fresh, card, task, example_request(task, test))
        if isinstance(fitted, KeepsWeights):
            fitted.write_weights(fresh)
        write_answers(fresh, answers)
    return card


def _calibration(
    calibrator: Fitted,
    native: NDArray[np.float32],
    data: TaskData,
) -> Calibration:
    n = len(data.validation)
    if isinstance(calibrator, ConformalInterval):
        return Calibration(method="split-conformal", n=n, half_width=calibrator.half_width)
    if isinstance(calibrator, ConformalPValues):
        return Calibration(
            method="conformal-p-values", n=calibrator.n, false_alarms=calibrator.rate
        )
    if isinstance(calibrator, ClusterOdds):
        return Calibration(
            method="temperature",
            n=n,
            temperature=calibrator.temperature,
            ece_before=expected_calibration_error(
                ClusterOdds(1.0).apply(native), data.test.targets
            ),
            ece_after=expected_calibration_error(calibrator.apply(native), data.test.targets),
        )
    return Calibration(
        method="temperature",
        n=n,
        temperature=calibrator.temperature,
        biases=calibrator.biases,
        ece_before=expected_calibration_error(Temperature(1.0).apply(native), data.test.targets),
        ece_after=expected_calibration_error(calibrator.unweighed.apply(native), data.test.targets),
    )


def _latency(model: LoadedModel, runtime: Runtime, data: TaskData) -> Latency:
    sample = {name: array[:_SAMPLE_ITEMS] for name, array in data.validation.inputs.items()}
    return Latency(
        runtime=runtime.name,
        machine=processor_name(),
        threads=runtime.threads,
        batches=tuple(measure_latency(model, sample)),
    )
