"""Finds out which models TensorRT takes: trains every kind of model on a few made items, and builds
it, its other forms and its explanation with TensorRT for RTX. That needs no GPU.

Example: python -m benchmarks.gpu_kinds
"""

import re
import tempfile
import textwrap
from collections.abc import Iterator
from functools import partial
from itertools import chain
from pathlib import Path

import click
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_edge.models.runtimes.tensorrt.batch_profile import BatchProfile
from ounce_edge.models.runtimes.tensorrt.building import build_engine
from ounce_edge.models.runtimes.tensorrt.libraries import Flavour, TensorRt, find_tensorrt
from ounce_exporters.export.gpu_suitability import why_not_on_gpu
from ounce_exporters.export.graphs import UNCALIBRATED
from ounce_exporters.ladder.building import export_model
from ounce_exporters.ladder.recipe import FittedModel, Inputs, Recipe, TaskData
from ounce_exporters.lighter.forms import NotWorthwhileError, UnsuitedError
from ounce_exporters.lighter.recipes import with_lighter
from ounce_exporters.own.backbone import cut
from ounce_exporters.tasks import registry
from ounce_exporters.tasks.table.recipes import families
from ounce_exporters.training.crossfit import train
from ounce_schemas.card import ModelCard
from ounce_schemas.documents import (
    CARD_FILE,
    EXPLANATION_FILE,
    MODEL_FILE,
    TASK_FILE,
    read_card,
)
from ounce_schemas.errors import ArtifactError

from benchmarks.gpu_forms import is_form
from benchmarks.made_items import KINDS
from benchmarks.results import Cell, Table, models_option, publish_option, report

COLUMNS = ["engine", "of other forms", "of the explanation", "models, by their items"]
BUILT = "built"
PROFILE = BatchProfile(best=8, most=64)
SHIPPED = ("digits", "bearing")
"""Tasks with ladders of their own."""
_LONGEST_REASON = 90


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--of", "only", multiple=True, help="Kinds of items; default: all.")
@models_option
@publish_option
def main(only: tuple[str, ...], models: Path, publish: bool) -> None:
    """Try, show and write."""
    for kind in set(only) - set(KINDS):
        raise click.BadParameter(f"{kind!r} is none of: {'; '.join(KINDS)}", param_hint="--of")
    for ladder in () if only else [models / task for task in SHIPPED]:
        if not (ladder / TASK_FILE).exists():
            raise click.ClickException(f"{ladder} is absent: run `ounce train {ladder.name}`")
    tensorrt = find_tensorrt(Flavour.RTX)
    rows: list[list[str]] = []
    found = [try_kind(tensorrt, kind) for kind in only or KINDS]
    found += [try_ladder(tensorrt, models / task) for task in SHIPPED if not only]
    for row in chain.from_iterable(found):
        click.echo(" | ".join(row))
        rows.append(row)
    table = Table(columns=COLUMNS, rows=_together(rows), note=f"Built by {tensorrt.name}.")
    report("gpu_kinds", {"gpu-kinds": table}, publish=publish)


def try_kind(tensorrt: TensorRt, kind: str, only: str | None = None) -> Iterator[list[str]]:
    """A row for each model of a kind of items.

    Args:
        tensorrt: builds.
        kind: one of `KINDS`.
        only: name of the one model to try.

    Raises:
        ArtifactError: a card says otherwise of a model than the build.
    """
    data = KINDS[kind]()
    for family in families(data):
        if only in (None, family.name):
            yield [kind, *_try(tensorrt, data, family.recipe())]


def try_ladder(tensorrt: TensorRt, ladder: Path) -> Iterator[list[str]]:
    """A row for each model of a trained ladder, but for other forms of models."""
    data = registry.find_task(ladder.name).load(0, quick=True)
    for path in sorted(ladder.glob(f"[!.]*/{CARD_FILE}")):
        if not is_form(path.parent):
            card = read_card(path)
            recipe = Recipe(card.model, card.family, card.algorithm, partial(_read, ladder, card))
            yield [ladder.name, *_try(tensorrt, data, recipe, path.parent)]


def _read(ladder: Path, card: ModelCard, *_: object) -> FittedModel:
    """A model of a ladder as it was before its calibration."""
    served = onnx.load(ladder / card.model / MODEL_FILE)
    model = cut(served, UNCALIBRATED, card.model)
    output = helper.make_tensor_value_info(UNCALIBRATED, onnx.TensorProto.FLOAT, ["batch", None])
    model.graph.output[0].CopyFrom(output)
    return OnnxModel(model, card.parameters)


class OnnxModel:
    """A graph as a fitted model.

    Args:
        graph: with the one output `uncalibrated`.
        parameters: learned numbers.
    """

    def __init__(self, graph: onnx.ModelProto, parameters: int) -> None:
        self.parameters = parameters
        self._graph = graph
        self._loaded = OnnxCpuRuntime().load(Path(MODEL_FILE), graph.SerializeToString())

    def predict(self, inputs: Inputs) -> NDArray[np.float32]:
        """Answers before calibration."""
        return self._loaded.run(inputs)

    def to_onnx(self) -> onnx.ModelProto:
        """The graph."""
        return self._graph


def _try(
    tensorrt: TensorRt, data: TaskData, recipe: Recipe, trained: Path | None = None
) -> list[str]:
    """What happens to a model, its forms, as training makes them, and its explanation.

    Args:
        tensorrt: builds.
        data: its task and its items.
        recipe: of the model.
        trained: its folder, where it is trained already.
    """
    original, *forms = with_lighter([recipe], keep=True)
    of_forms = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = trained or _make(data, original, Path(scratch))
        for form in forms:
            name = form.name.removeprefix(f"{recipe.name}-")
            try:
                of_forms[name] = _engine(tensorrt, _make(data, form, Path(scratch)))
            except UnsuitedError:
                continue
            except NotWorthwhileError as e:
                of_forms[name] = str(e)
        explanation = folder / EXPLANATION_FILE
        explained = _build(tensorrt, onnx.load(explanation)) if explanation.exists() else "none"
        return [
            recipe.name,
            _short(_engine(tensorrt, folder)),
            "; ".join(f"{name}: {_short(found)}" for name, found in of_forms.items()) or "no forms",
            _short(explained),
        ]


def _make(data: TaskData, recipe: Recipe, folder: Path) -> Path:
    """The folder of a model that is trained, exported and measured."""
    trained = train(recipe, data, 0, lambda share: None)
    export_model(data, recipe, trained, folder, 0)
    return folder / recipe.name


def _engine(tensorrt: TensorRt, folder: Path) -> str:
    card, engine = read_card(folder / CARD_FILE), _build(tensorrt, onnx.load(folder / MODEL_FILE))
    if (card.not_on_gpu or BUILT) != engine:
        raise ArtifactError(f"{folder}: {engine}, but its card says {card.not_on_gpu}")
    return engine


def _short(reason: str) -> str:
    said = re.sub(r"^tensorrt-rtx \S+ can't parse it: ", "", reason)
    return textwrap.shorten(said, _LONGEST_REASON, placeholder=" …")


def _together(rows: list[list[str]]) -> list[list[Cell]]:
    """One row for all models to which the same happens."""
    found: dict[tuple[str, ...], dict[str, list[str]]] = {}
    for kind, model, *what in rows:
        found.setdefault(tuple(what), {}).setdefault(kind, []).append(model)
    return [
        [*what, "; ".join(f"{kind}: {', '.join(models)}" for kind, models in of.items())]
        for what, of in found.items()
    ]


def _build(tensorrt: TensorRt, graph: onnx.ModelProto) -> str:
    """`BUILT`, or why not.

    Raises:
        ArtifactError: it is parsed, but not built.
    """
    reason = why_not_on_gpu(graph)
    if reason is None:
        build_engine(tensorrt, graph.SerializeToString(), PROFILE)
    return reason or BUILT


if __name__ == "__main__":
    main()
