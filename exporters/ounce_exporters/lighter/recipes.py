"""Recipes of other forms: each trains nothing, but converts the model of another recipe."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from ounce_edge.models.runtimes.base import Inputs, LoadedModel
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from scipy.stats import spearmanr  # type: ignore[import-untyped]

from ounce_exporters.lighter.forms import WORDS, Form, NotWorthwhileError, convert
from ounce_exporters.lighter.race import race
from ounce_exporters.recipe import FittedModel, Progress, Recipe, TaskData

MOST_OF_TIME = 0.9
"""A lighter form is kept where a call of some size takes at most this share of the original's."""
LEAST_AGREEMENT = 0.97
"""Share of validation items that get the same label; of scores, their rank correlation."""

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


class _Once:
    """Fits, and exports, what is asked for several times once.

    Args:
        fit: of a recipe.
    """

    def __init__(self, fit: Callable[[TaskData, int, Progress], FittedModel]) -> None:
        self._fit = fit
        self._last: tuple[TaskData, int, FittedModel] | None = None
        self._graph: onnx.ModelProto | None = None

    def fit(self, data: TaskData, seed: int, progress: Progress) -> FittedModel:
        """The model of these rows and this seed."""
        last = self._last
        if last is None or last[0].train is not data.train or last[1] != seed:
            last = self._last = data, seed, self._fit(data, seed, progress)
            self._graph = None
        return last[2]

    def graph(self) -> onnx.ModelProto:
        """Of what was fitted last; nobody changes it."""
        assert self._last is not None
        if self._graph is None:
            self._graph = self._last[2].to_onnx()
        return self._graph


def with_lighter(
    recipes: Sequence[Recipe], *, keep: bool = False, race: Race = race
) -> list[Recipe]:
    """The same recipes, and behind each those of its other forms. The model is trained once for all
    of them.

    A form is worth a place where it is cheaper, and answers nearly as its original does. Where it
    is not, its `fit` raises `NotWorthwhileError`.

    Args:
        recipes: of a task whose validation items teach no model.
        keep: forms stay that are no cheaper on this machine, for another one, such as a GPU.
        race: times a form against its original.
    """
    found = []
    for recipe in recipes:
        is_network = recipe.family == "neural"
        forms = [form for form in Form if form.suits_networks == is_network]
        once = _Once(recipe.fit)
        others = [_lighter(recipe, once, form, None if keep else race) for form in forms]
        found += [replace(recipe, fit=once.fit), *others]
    return found


def _lighter(recipe: Recipe, once: _Once, form: Form, race: Race | None) -> Recipe:
    def fit(data: TaskData, seed: int, progress: Progress) -> FittedModel:
        original = once.fit(data, seed, progress)
        whole = once.graph()
        model = _convert(whole, form, data, original)
        _check_answers(model, data)
        if race is not None:
            before = OnnxCpuRuntime().load(Path("fp32.onnx"), whole.SerializeToString())
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


def _convert(
    whole: onnx.ModelProto, form: Form, data: TaskData, original: FittedModel
) -> LighterModel:
    try:
        return LighterModel(convert(whole, form, data.train.inputs), original, form)
    except NotWorthwhileError:
        raise
    except Exception as e:  # libraries raise many types; the original is on the ladder
        logger.debug("conversion failed form=%s", form, exc_info=True)
        reason = " ".join(str(e).split())[:200]
        raise NotWorthwhileError(f"it can't be converted: {type(e).__name__}: {reason}") from e


def _check_answers(model: LighterModel, data: TaskData) -> None:
    inputs = data.validation.inputs
    found, wanted = (m.predict(inputs) for m in (model, model.original))
    if wanted.shape[1] == 1:  # scores: their order is what p-values are made of
        together = float(spearmanr(found[:, 0], wanted[:, 0]).statistic)
        if together < LEAST_AGREEMENT:
            raise NotWorthwhileError(
                f"its scores have a rank correlation of only {together:.2f} with its original's"
            )
        return
    agreement = float((found.argmax(axis=1) == wanted.argmax(axis=1)).mean())
    if agreement < LEAST_AGREEMENT:
        raise NotWorthwhileError(f"only {agreement:.1%} of its answers are its original's")


def _check_cost(times: dict[int, float]) -> None:
    if min(times.values()) > MOST_OF_TIME:
        (size, ratio), *others = times.items()
        told = [f"a call of {size} takes {ratio:.2f} times as long"]
        told += [f"one of {size} {ratio:.2f} times" for size, ratio in others]
        raise NotWorthwhileError(f"it is not cheaper here: {', '.join(told)}")
