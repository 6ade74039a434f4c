"""Making a model's explanation: the exact graph where there is one, else occlusion; checked and
measured."""

import hashlib
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper
from ounce_edge.models.measurement import measure_latency
from ounce_edge.models.processor import processor_name
from ounce_edge.models.runtimes.base import Inputs, LoadedModel, Runtime
from ounce_schemas.card import Latency, LatencyAtBatch
from ounce_schemas.documents import EXPLANATION_FILE
from ounce_schemas.errors import ArtifactError, ExportError
from ounce_schemas.explanation import MOST_INPUTS, ExplainedText, Explanation, Method
from ounce_schemas.task import TaskSpec

from ounce_exporters.explaining.additive import explain_terms
from ounce_exporters.explaining.occlusion import occlude
from ounce_exporters.explaining.owners import feature_owners
from ounce_exporters.explaining.parts import (
    Part,
    graph_shape,
    parts_of,
    places_of,
    texts_of,
)
from ounce_exporters.explaining.reference import as_told, find_reference
from ounce_exporters.explaining.rescale import rescale
from ounce_exporters.explaining.scores import ScoreMap, probability_map, score_map
from ounce_exporters.explaining.terms import HasTerms
from ounce_exporters.export.calibration import Fitted
from ounce_exporters.export.graphs import UNCALIBRATED
from ounce_exporters.ladder.recipe import FittedModel, TaskData

LARGEST_ERROR = 1e-5
"""By which base and contributions may miss the score, over the greater of 1 and the score."""
MOST_OCCLUDED = 64
"""Parts that are replaced one by one: each costs as much as an answer."""
MOST_BYTES = 64_000_000
"""Of a file of explanations."""
_ITEMS = 64
_BATCH_SIZES = (1, 8, 64)
_LONGEST_MS = 500.0
"""Calls that would take longer are not measured: an item takes as long as in smaller ones."""
_MOST_NUMBERS = 2**24
"""That a call reads, items with a part replaced among them: 64 MB of FP32."""
_MOST_CHECKED = 2**26
"""That all calls of the check read."""
_NO_GAIN = 1.1
"""A call that takes so many times longer for each item than a smaller one is not made."""
_SECONDS = 0.2
_ANSWERS_DIFFER = 1e-4
_BOTH = "explaining/both"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Explained:
    """What is made for a card; one of the two."""

    explanation: Explanation | None = None
    unexplained: str | None = None
    """Why there is none."""


@dataclass(frozen=True)
class Exported:
    """A model that is exported, and what it was made of."""

    fitted: FittedModel
    calibrator: Fitted
    graph: onnx.ModelProto
    """The task's inputs and output, with `uncalibrated` inside."""


@dataclass(frozen=True)
class _Made:
    graph: onnx.ModelProto
    method: Method
    scores: ScoreMap
    names: tuple[str, ...]
    reference: dict[str, tuple[float | str | None, ...]]
    texts: dict[str, ExplainedText] = field(default_factory=dict)


def explain(exported: Exported, data: TaskData, folder: Path, runtime: Runtime) -> Explained:
    """Write `explanation.onnx` beside a model. A model that can't be explained costs nothing.

    Args:
        exported: the model.
        data: of its task.
        folder: of the model.
        runtime: measures it.
    """
    try:
        return Explained(_explain(exported, data, folder, runtime))
    except (ExportError, ArtifactError) as e:
        reason = str(e)
    except Exception as e:  # libraries raise many types; the model goes on without
        logger.debug("no explanation of %s", folder.name, exc_info=True)
        reason = f"{type(e).__name__}: {' '.join(str(e).split())[:200]}"
    logger.info("not explained %s: %s", folder.name, reason)
    (folder / EXPLANATION_FILE).unlink(missing_ok=True)
    return Explained(unexplained=reason)


def _reads_categories_as_bytes(graph: onnx.ModelProto, task: TaskSpec) -> bool:
    texts = {t.name for t in task.inputs if t.datatype == "BYTES" and t.text_bytes is None}
    return any(
        given.name in texts and given.type.tensor_type.elem_type == TensorProto.UINT8
        for given in graph.graph.input
    )


def _explain(exported: Exported, data: TaskData, folder: Path, runtime: Runtime) -> Explanation:
    if (size := exported.graph.ByteSize()) > MOST_BYTES:  # its explanation holds all of it
        raise ExportError(f"the model takes {size:,} bytes: its explanation is over {MOST_BYTES:,}")
    if _reads_categories_as_bytes(exported.graph, data.spec):
        raise ExportError("it reads categories as bytes: the model that it is a form of explains")
    parts = parts_of(data.spec)
    if len(parts) > MOST_INPUTS:
        raise ExportError(f"{len(parts)} inputs are over the {MOST_INPUTS} that are explained")
    for make in (_of_terms, _rescaled):
        try:
            made = make(exported, data, parts)
            if made is not None:
                return _checked(made, exported, data, folder, runtime)
        except Exception as e:  # of whatever library: occlusion needs the model's answers alone
            logger.debug("%s by %s: %s", folder.name, make.__name__, e, exc_info=True)
    return _checked(_occluded(exported, data, parts), exported, data, folder, runtime)


def _checked(
    made: _Made, exported: Exported, data: TaskData, folder: Path, runtime: Runtime
) -> Explanation:
    """Write and measure a graph whose contributions add up.

    Raises:
        ExportError: they do not, or the file is too large.
    """
    content = made.graph.SerializeToString(deterministic=True)
    if len(content) > MOST_BYTES:
        raise ExportError(f"its explanation takes {len(content):,} bytes, over {MOST_BYTES:,}")
    path = folder / EXPLANATION_FILE
    path.write_bytes(content)
    model = runtime.load(path, content)
    size = data.spec.output.size
    numbers = _numbers_per_item(made, data)
    n = max(min(_ITEMS, _MOST_CHECKED // numbers, len(data.test)), 1)
    items = {name: array[:n] for name, array in data.test.inputs.items()}
    found = _run(model, items, max(_MOST_NUMBERS // numbers, 1))
    answers, outputs = _answers_and_outputs(exported.graph, items, runtime, size)
    if not np.isfinite(found).all():
        raise ExportError("contributions of some test items are not finite")
    if np.abs(found[:, :size] - answers).max() > _ANSWERS_DIFFER * max(1.0, np.abs(answers).max()):
        raise ExportError("the graph that explains answers otherwise than the model")
    score = made.scores.of(outputs, answers)
    sums = found[:, size:].astype(np.float64).sum(axis=1)
    error = float((np.abs(sums - score) / np.maximum(np.abs(score), 1.0)).max())
    if error > LARGEST_ERROR:
        raise ExportError(f"contributions miss the score by {error:.2g}, over {LARGEST_ERROR:g}")
    sample = {name: array[:_ITEMS] for name, array in data.validation.inputs.items()}
    return Explanation(
        method=made.method,
        score=made.scores.name,
        inputs=made.names,
        texts=made.texts,
        reference=made.reference,
        largest_error=float(f"{error:.3g}"),
        latency=Latency(
            runtime=runtime.name,
            machine=processor_name(),
            threads=runtime.threads,
            batches=tuple(_measured(model, sample, numbers)),
        ),
        size_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )


def _numbers_per_item(made: _Made, data: TaskData) -> int:
    """That a call reads for each item."""
    own = sum(math.prod(graph_shape(tensor)) for tensor in data.spec.inputs)
    return own * (len(made.names) + 1) if made.method == "occlusion" else own


def _run(model: LoadedModel, items: Inputs, most: int) -> NDArray[np.float32]:
    """Answers to items, in calls of `most` at most."""
    n = len(next(iter(items.values())))
    return np.concatenate(
        [model.run({k: v[i : i + most] for k, v in items.items()}) for i in range(0, n, most)]
    )


def _measured(model: LoadedModel, sample: Inputs, numbers: int) -> list[LatencyAtBatch]:
    """By batch size, as far as calls are short and small, and larger ones take no longer for each
    item. The edge makes no larger ones.

    Args:
        model: to measure.
        sample: of its inputs.
        numbers: that a call reads for each item.
    """
    found: list[LatencyAtBatch] = []
    for size in _BATCH_SIZES:
        expected_ms = found[-1].p50_ms * size / found[-1].batch_size if found else 0.0
        if found and (expected_ms > _LONGEST_MS or numbers * size > _MOST_NUMBERS):
            break
        (measured,) = measure_latency(
            model,
            sample,
            batch_sizes=(size,),
            seconds=_SECONDS / len(_BATCH_SIZES),
            least_calls=2,
            most_calls=100,
        )
        if found and measured.p50_ms > expected_ms * _NO_GAIN:  # its tensors leave the cache
            break
        found.append(measured)
    return found


def _rescaled(exported: Exported, data: TaskData, parts: Sequence[Part]) -> _Made:
    """Where all operators of the model are known."""
    task = data.spec
    scores, reference = score_map(task, exported.calibrator), find_reference(data)
    learned = (data.train if len(data.train) else data.validation).inputs
    graph, method = rescale(exported.graph, task, parts, reference, scores, learned)
    texts = texts_of(task)
    tensors = {text.tensor for text in texts.values()}
    names = tuple(part.name for part in parts if part.tensor not in tensors)
    return _Made(graph, method, scores, (*names, *texts), as_told(task, reference), texts)


def _occluded(exported: Exported, data: TaskData, parts: Sequence[Part]) -> _Made:
    """Of any model.

    Raises:
        ExportError: it has too many parts.
    """
    if len(parts) > MOST_OCCLUDED:
        raise ExportError(
            f"{len(parts)} inputs are over the {MOST_OCCLUDED} that are replaced one by one"
        )
    task = data.spec
    scores, reference = score_map(task, exported.calibrator), find_reference(data)
    outputs = exported.fitted.predict(reference).astype(np.float64)
    base = outputs[0] @ scores.weights + scores.offsets
    graph = occlude(exported.graph, task, parts, reference, scores, base)
    names = tuple(part.name for part in parts)
    return _Made(graph, "occlusion", scores, names, as_told(task, reference))


def _of_terms(exported: Exported, data: TaskData, parts: Sequence[Part]) -> _Made | None:
    """Where the model is a sum."""
    task = data.spec
    learned = (data.train if len(data.train) else data.validation).inputs
    terms = exported.fitted.terms(learned) if isinstance(exported.fitted, HasTerms) else None
    if terms is None:
        return None
    of_columns = feature_owners(terms.transform, task, terms.rows)
    if of_columns is None:
        return None
    places = np.concatenate(
        [places_of(parts, tensor.name).ravel() for tensor in task.inputs]
    )  # of columns side by side
    scores = score_map(task, exported.calibrator)
    if terms.gives_probabilities:
        scores = probability_map(len(task.labels))
    graph, method = explain_terms(
        exported.graph, task, terms, places[of_columns], scores, len(parts)
    )
    return _Made(graph, method, scores, tuple(part.name for part in parts), {})


def _answers_and_outputs(
    graph: onnx.ModelProto, items: Inputs, runtime: Runtime, size: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What the model answers, and its outputs before calibration."""
    both = onnx.ModelProto()
    both.CopyFrom(graph)
    name = both.graph.output[0].name
    both.graph.node.append(helper.make_node("Concat", [name, UNCALIBRATED], [_BOTH], axis=1))
    del both.graph.output[:]
    both.graph.output.append(
        helper.make_tensor_value_info(_BOTH, TensorProto.FLOAT, ["batch", None])
    )
    found = runtime.load(Path("model.onnx"), both.SerializeToString()).run(items)
    return found[:, :size], found[:, size:]
