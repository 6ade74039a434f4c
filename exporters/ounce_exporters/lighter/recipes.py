"""Recipes of other forms: each trains nothing, but converts the model of another recipe."""

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from ounce_edge.models.runtimes.base import Inputs, LoadedModel
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from scipy.stats import spearmanr

from ounce_exporters.export.standard import standardize_where_known
from ounce_exporters.ladder.recipe import FittedModel, Progress, Recipe, Split, TaskData
from ounce_exporters.lighter.forms import WORDS, Form, NotWorthwhileError, convert
from ounce_exporters.lighter.race import race

MOST_OF_TIME = 0.9
"""A lighter form is kept where a call of some size takes at most this share of the original's."""
LEAST_AGREEMENT = 0.97
"""Share of validation items that get the same label, or a value within the tolerance; of scores,
their rank correlation."""

logger = logging.getLogger(__name__)

Race = Callable[[LoadedModel, LoadedModel, Inputs], dict[int, float]]


class LighterModel:
    """A model in another form.

    Args:
        graph: of it, with the one output `uncalibrated`.
        original: the model.
        form: of the graph.
    """

    def __init__(self, graph: onnx.ModelProto, original: FittedModel, form: Form) -> None:
        self._graph, self.original, self.form = graph, original, form
        self.loaded = OnnxCpuRuntime().load(Path(f"{form}.onnx"), graph.SerializeToString())

    @property
    def parameters(self) -> int:
        """As many as the original's."""
        return self.original.parameters

    def predict(self, inputs: Inputs) -> NDArray[np.float32]:
        """As the graph answers: logits of shape (n_items, n_labels)."""
        return self.loaded.run(inputs)

    def to_onnx(self) -> onnx.ModelProto:
        """The graph."""
        return self._graph


class _Fits:
    """Does each fit of a model once, however many of its forms are made of it. Those of one model
    are kept at a time: of each fold, and of all rows."""

    def __init__(self) -> None:
        self._recipe: Recipe | None = None
        self._made: dict[str, _Fit] = {}

    def of(self, recipe: Recipe, data: TaskData, seed: int, progress: Progress) -> "_Fit":
        """The fit of a recipe to the rows that teach, whatever else the data holds."""
        if self._recipe is not recipe:
            self._recipe, self._made = recipe, {}
        key = _digest(data.train, seed)
        if key not in self._made:
            self._made[key] = _Fit(recipe, recipe.fit(data, seed, progress))
        return self._made[key]


class _Fit:
    """A fitted model, and its graph once it is asked for; nobody changes it."""

    def __init__(self, recipe: Recipe, model: FittedModel) -> None:
        self._recipe, self.model = recipe, model

    @cached_property
    def graph(self) -> onnx.ModelProto:
        graph = self.model.to_onnx()
        return standardize_where_known(graph) if self._recipe.family == "neural" else graph


def _digest(rows: Split, seed: int) -> str:
    found = hashlib.sha256(f"{seed}".encode())
    arrays = {**rows.inputs, "/targets": rows.targets}
    if rows.soft is not None:
        arrays["/soft"] = rows.soft
    for name, array in arrays.items():
        found.update(f"{name} {array.dtype} {array.shape}".encode())
        is_text = array.dtype == np.object_
        found.update(repr(array.tolist()).encode() if is_text else np.ascontiguousarray(array).data)
    return found.hexdigest()


def with_lighter(
    recipes: Sequence[Recipe], *, keep: bool = False, race: Race = race
) -> list[Recipe]:
    """The same recipes, and behind each those of its other forms. Each model is trained once for
    all of them: where there are folds, the model of each fold is.

    A form is worth a place where it is cheaper, and answers nearly as its original does. Where it
    is not, its `fit` raises `NotWorthwhileError`.

    Args:
        recipes: of a task.
        keep: forms stay that are no cheaper on this machine, for another one, such as a GPU.
        race: times a form against its original.
    """
    found = []
    fits = _Fits()
    for recipe in recipes:
        is_network = recipe.family == "neural"
        forms = [form for form in Form if is_network or not form.has_fewer_bits]
        others = [_lighter(recipe, fits, form, None if keep else race) for form in forms]
        found += [_kept(recipe, fits), *others]
    return found


def _kept(recipe: Recipe, fits: _Fits) -> Recipe:
    def fit(data: TaskData, seed: int, progress: Progress) -> FittedModel:
        return fits.of(recipe, data, seed, progress).model

    return replace(recipe, fit=fit)


def _lighter(recipe: Recipe, fits: _Fits, form: Form, race: Race | None) -> Recipe:
    def fit(data: TaskData, seed: int, progress: Progress) -> FittedModel:
        original = fits.of(recipe, data, seed, progress)
        model = _make(original, form, data)
        if race is not None:
            content = original.graph.SerializeToString()
            before = OnnxCpuRuntime().load(Path("fp32.onnx"), content)
            _check_cost(race(model.loaded, before, data.train.inputs))
        return model

    return replace(
        recipe,
        name=f"{recipe.name}-{form}",
        algorithm=f"{recipe.algorithm}, {WORDS[form]}",
        fit=fit,
        effort=1.0,
        form_of=recipe.name,
    )


def _make(original: _Fit, form: Form, data: TaskData) -> LighterModel:
    try:
        graph = convert(original.graph, form, data.train.inputs)
        model = LighterModel(graph, original.model, form)
        _check_answers(model, data)
    except NotWorthwhileError:
        raise
    except Exception as e:  # libraries raise many types; the original is on the ladder
        logger.debug("conversion failed form=%s", form, exc_info=True)
        reason = " ".join(str(e).split())[:200]
        raise NotWorthwhileError(f"it can't be made: {type(e).__name__}: {reason}") from e
    return model


def _check_answers(model: LighterModel, data: TaskData) -> None:
    inputs = data.validation.inputs
    found, wanted = (m.predict(inputs) for m in (model, model.original))
    if wanted.shape[1] > 1:
        shared, what = _share(found.argmax(axis=1) == wanted.argmax(axis=1), found), "are"
    elif data.spec.tolerance is not None:
        near = np.abs(found[:, 0] - wanted[:, 0]) <= data.spec.tolerance
        shared, what = _share(near, found), "are within the tolerance of"
    else:  # scores: their order is what p-values are made of
        together = float(spearmanr(found[:, 0], wanted[:, 0]).statistic)
        if not together >= LEAST_AGREEMENT:  # also where all are the same, or one is no number
            raise NotWorthwhileError(
                f"its scores have a rank correlation of only {together:.2f} with its original's"
            )
        return
    if shared < LEAST_AGREEMENT:
        raise NotWorthwhileError(f"only {shared:.1%} of its answers {what} its original's")


def _share(same: NDArray[np.bool_], answers: NDArray[np.float32]) -> float:
    return float((same & np.isfinite(answers).all(axis=1)).mean())


def _check_cost(times: dict[int, float]) -> None:
    if min(times.values()) > MOST_OF_TIME:
        (size, ratio), *others = times.items()
        told = [f"a call of {size} takes {ratio:.2f} times as long"]
        told += [f"one of {size} {ratio:.2f} times" for size, ratio in others]
        raise NotWorthwhileError(f"it is not cheaper here: {', '.join(told)}")
