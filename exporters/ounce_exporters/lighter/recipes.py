"""Recipes of lighter forms: each trains nothing, but converts the network of another recipe."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from ounce_edge.models.runtimes.base import Inputs, LoadedModel
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime

from ounce_exporters.lighter.forms import WORDS, Form, NotWorthwhileError, convert
from ounce_exporters.lighter.race import race
from ounce_exporters.recipe import FittedModel, Progress, Recipe, TaskData

MOST_OF_TIME = 0.9
"""A lighter form is kept where a call of some size takes at most this share of the original's."""
LEAST_AGREEMENT = 0.97
"""Share of validation items that get the same label."""

logger = logging.getLogger(__name__)

Race = Callable[[LoadedModel, LoadedModel, Inputs], dict[int, float]]


class LighterModel:
    """A network in another form.

    Args:
        graph: of it, with the one output `uncalibrated`.
        original: the network.
        form: of the graph.
    """

    def __init__(self, graph: onnx.ModelProto, original: FittedModel, form: Form) -> None:
        self._graph, self.original = graph, original
        self.loaded = OnnxCpuRuntime().load(Path(f"{form}.onnx"), graph.SerializeToString())

    @property
    def parameters(self) -> int:
        """As many as the original's."""
        return self.original.parameters

    def predict(self, inputs: Inputs) -> NDArray[np.float32]:
        """Logits of shape (n_items, n_labels), as the graph gives them."""
        return self.loaded.run(inputs)

    def to_onnx(self) -> onnx.ModelProto:
        """The graph."""
        return self._graph


def with_lighter(
    recipes: Sequence[Recipe], *, keep: bool = False, race: Race = race
) -> list[Recipe]:
    """The same recipes, and behind each network those of its lighter forms. The network is trained
    once for all of them.

    A form is worth a place where it is cheaper, and answers nearly as its original does. Where it
    is not, its `fit` raises `NotWorthwhileError`.

    Args:
        recipes: of a task whose validation items teach no model.
        keep: forms stay that are no cheaper on this machine, for another one, such as a GPU.
        race: times a form against its original.
    """
    found = []
    for recipe in recipes:
        if recipe.family != "neural":
            found.append(recipe)
            continue
        shared = replace(recipe, fit=_once(recipe.fit))
        found += [shared, *(_lighter(shared, form, keep, race) for form in Form)]
    return found


def _lighter(recipe: Recipe, form: Form, keep: bool, race: Race) -> Recipe:
    def fit(data: TaskData, seed: int, progress: Progress) -> FittedModel:
        original = recipe.fit(data, seed, progress)
        whole = original.to_onnx()
        model = _convert(whole, form, data, original)
        _check_answers(model, data)
        if not keep:
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
    answers, wanted = (m.predict(inputs).argmax(axis=1) for m in (model, model.original))
    agreement = float((answers == wanted).mean())
    if agreement < LEAST_AGREEMENT:
        raise NotWorthwhileError(f"only {agreement:.1%} of its answers are its original's")


def _check_cost(times: dict[int, float]) -> None:
    if min(times.values()) > MOST_OF_TIME:
        each = " and ".join(f"{ratio:.2f} times for {n}" for n, ratio in times.items())
        raise NotWorthwhileError(f"it is not cheaper here: a call takes {each} items")


def _once(
    fit: Callable[[TaskData, int, Progress], FittedModel],
) -> Callable[[TaskData, int, Progress], FittedModel]:
    """The same, but what was fitted last is not fitted again."""
    last: tuple[TaskData, int, FittedModel] | None = None

    def fitted(data: TaskData, seed: int, progress: Progress) -> FittedModel:
        nonlocal last
        if last is None or last[0].train is not data.train or last[1] != seed:
            last = data, seed, fit(data, seed, progress)
        return last[2]

    return fitted
