"""One pipeline: trained, exported as a ladder's models are, and asked hostile rows."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_edge.wire.requests.known_texts import KnownTexts
from ounce_exporters.evaluation.judgement import learned_prior
from ounce_exporters.export.calibration import fit_calibrator
from ounce_exporters.export.graphs import check_signature
from ounce_exporters.export.parity import EXACT, check_parity
from ounce_exporters.ladder.recipe import FittedModel, Inputs, Recipe, TaskData
from ounce_schemas.errors import OunceError
from ounce_schemas.task import TaskSpec

from trials.pipelines.hostile import make_rows

ROWS = 200


@dataclass
class Seen:
    """What one pipeline did."""

    recipe: str
    refused: str = ""
    """Why there is no model; otherwise empty."""
    rows: int = 0
    not_finite: int = 0
    """Rows that a worker refuses before any model sees them."""
    equal: int = 0
    """Rows with the same label, or a value within the limit."""
    different: int = 0
    """Rows whose answers differ by more than the limit, or are not finite: silently wrong."""
    examples: list[str] = field(default_factory=list)


def compare(rng: Generator, data: TaskData, recipe: Recipe, seed: int) -> Seen:
    """Train the recipe on the data, and compare its graph with the native model."""
    seen = Seen(recipe.name)
    try:
        fitted = recipe.fit(data, seed, lambda share: None)
        outputs = fitted.predict(data.validation.inputs)
        calibrator = fit_calibrator(
            data.spec, outputs, data.validation.targets, learned_prior(recipe, data, outputs)
        )
        graph = check_signature(calibrator.attach(fitted.to_onnx(), data.spec), data.spec)
        model = OnnxCpuRuntime(threads=1).load(Path("model.onnx"), graph.SerializeToString())
        test = calibrator.apply(fitted.predict(data.test.inputs))
        check_parity(data.spec, model.run(data.test.inputs), test)
    except OunceError as e:
        seen.refused = str(e)
        return seen
    except Exception as e:  # as `ounce train`: it costs the model alone, and is said
        seen.refused = f"{type(e).__name__}: {e}"
        return seen
    rows = _served(data, make_rows(rng, data.spec.inputs, data.test.inputs, ROWS), seen)
    with np.errstate(all="ignore"):
        native = calibrator.apply(_predict(fitted, rows))
    _hold_against(seen, data.spec, rows, model.run(rows), native)
    return seen


def _predict(fitted: FittedModel, rows: Inputs) -> NDArray[np.float32]:
    return fitted.predict(rows)


def _served(data: TaskData, rows: dict[str, NDArray[Any]], seen: Seen) -> Inputs:
    """The rows that a worker lets through, with texts as it hands them on."""
    texts = KnownTexts(data.spec)
    finite = np.ones(ROWS, np.bool_)
    for spec in data.spec.inputs:
        if spec.datatype == "FP32":
            finite &= ~np.isinf(rows[spec.name]).any(axis=1)
        else:
            rows[spec.name] = np.array(
                [list(texts.read(spec.name, row)) for row in rows[spec.name].tolist()], dtype=object
            ).reshape(ROWS, spec.size)
    seen.not_finite = int((~finite).sum())
    return {name: array[finite] for name, array in rows.items()}


def _hold_against(
    seen: Seen,
    task: TaskSpec,
    rows: Inputs,
    exported: NDArray[np.float32],
    native: NDArray[np.float32],
) -> None:
    seen.rows = len(native)
    if exported.shape != native.shape:
        seen.different = seen.rows
        seen.examples.append(f"shapes {exported.shape} and {native.shape}")
        return
    with np.errstate(all="ignore"):
        distances = np.abs(exported.astype(np.float64) - native).max(axis=1)
    if task.kind == "classification":
        same = exported.argmax(axis=1) == native.argmax(axis=1)
        wrong = ~(distances <= EXACT.probability)
    else:
        scale = np.maximum(task.tolerance or 0.0, 1e-3 * np.abs(native[:, 0].astype(np.float64)))
        same = distances <= EXACT.value * scale
        wrong = ~same
    seen.equal, seen.different = int((same & ~wrong).sum()), int(wrong.sum())
    for i in np.flatnonzero(wrong)[:2]:
        row = {name: array[i].tolist() for name, array in rows.items()}
        seen.examples.append(f"{row}: {exported[i].tolist()} instead of {native[i].tolist()}")
