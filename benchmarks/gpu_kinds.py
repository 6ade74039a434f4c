"""Finds out which models TensorRT takes: trains every kind of model on a few made items, and builds
it, its other forms and its explanation with TensorRT for RTX. That needs no GPU.

Example: python -m benchmarks.gpu_kinds
"""

import re
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import click
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_edge.models.runtimes.tensorrt.batch_profile import BatchProfile
from ounce_edge.models.runtimes.tensorrt.building import build_engine
from ounce_edge.models.runtimes.tensorrt.libraries import Flavour, TensorRt, find_tensorrt
from ounce_exporters.crossfit import train
from ounce_exporters.export.gpu_suitability import why_not_on_gpu
from ounce_exporters.export.graphs import UNCALIBRATED
from ounce_exporters.ladder import export_model
from ounce_exporters.lighter.forms import Form, NotWorthwhileError, UnsuitedError
from ounce_exporters.lighter.recipes import with_lighter
from ounce_exporters.own.backbone import cut
from ounce_exporters.recipe import FittedModel, Inputs, Recipe, Split, TaskData
from ounce_exporters.tasks import registry
from ounce_exporters.tasks.table.recipes import families
from ounce_schemas.card import ModelCard
from ounce_schemas.cells import Cell as ReadCell
from ounce_schemas.documents import (
    CARD_FILE,
    EXPLANATION_FILE,
    MODEL_FILE,
    TASK_FILE,
    read_card,
)
from ounce_schemas.errors import ArtifactError
from ounce_schemas.task import ANOMALY, NO_CLUSTER, NORMAL, TaskSpec, TensorSpec

from benchmarks.results import Cell, Table, publish_option, report, text

COLUMNS = ["engine", "of other forms", "of the explanation", "models, by their items"]
BUILT = "built"
PROFILE = BatchProfile(best=8, most=64)
N_ITEMS = 200
SHIPPED = ("digits", "bearing")
"""Tasks with ladders of their own."""
_LONGEST_REASON = 90


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--of", "only", multiple=True, help="Kinds of items; default: all.")
@click.option(
    "--models",
    type=click.Path(path_type=Path),
    default=Path("models"),
    show_default=True,
    help="Folder of trained ladders, whose models are tried, too: of tasks that ship.",
)
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
    click.echo(text(table))
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
    cards = [read_card(path) for path in sorted(ladder.glob(f"[!.]*/{CARD_FILE}"))]
    forms = {f"{card.model}-{form}" for card in cards for form in Form}
    for card in cards:
        if card.model not in forms:
            recipe = Recipe(card.model, card.family, card.algorithm, partial(_read, ladder, card))
            yield [ladder.name, *_try(tensorrt, data, recipe, ladder / card.model)]


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


def _task(tensors: dict[str, tuple[dict[str, Any], NDArray[Any]]], **how: Any) -> TaskData:
    """The first half of the items trains, a quarter validates."""
    classes: NDArray[Any] = np.arange(N_ITEMS) % 2
    how = {"kind": "classification", "labels": ("no", "yes"), "targets": classes} | how
    targets = how.pop("targets")
    specs = tuple(TensorSpec(name=name, **spec) for name, (spec, _) in tensors.items())
    spec = TaskSpec(name="made", description="", inputs=specs, **how)

    def split(first: int, last: int) -> Split:
        chosen = slice(first, last)
        return Split({name: a[chosen] for name, (_, a) in tensors.items()}, targets[chosen])

    half, most = N_ITEMS // 2, 3 * N_ITEMS // 4
    splits = split(0, half), split(half, most), split(most, N_ITEMS)
    return TaskData(spec, "made items", *splits, "0" * 64)


def _numbers(*, gaps: bool = False) -> tuple[dict[str, Any], NDArray[Any]]:
    rows = np.random.default_rng(0).normal(size=(N_ITEMS, 3)).astype(np.float32)
    rows[1::2, 0] += 2
    if gaps:
        rows[::5, 1] = np.nan
    columns = ("width", "height", "weight")
    cells = tuple(ReadCell(column=name, read="number") for name in columns)
    spec = {"datatype": "FP32", "shape": (3,), "columns": columns, "cells": cells}
    return spec | {"allow_missing": gaps}, rows


def _categories() -> tuple[dict[str, Any], NDArray[Any]]:
    texts = np.random.default_rng(1).choice(["red", "green"], size=(N_ITEMS, 1)).astype(object)
    cell = ReadCell(column="colour", read="text", texts=("green", "red"))
    return {"datatype": "BYTES", "shape": (1,), "columns": ("colour",), "cells": (cell,)}, texts


def _sentences() -> tuple[dict[str, Any], NDArray[Any]]:
    texts = [["win a prize" if i % 2 else "see you at lunch"] for i in range(N_ITEMS)]
    return {"datatype": "BYTES", "shape": (1,), "text_bytes": 32}, np.array(texts, object)


def _images() -> tuple[dict[str, Any], NDArray[Any]]:
    images = np.random.default_rng(0).integers(0, 60, (N_ITEMS, 16, 16, 3), dtype=np.uint8)
    images[1::2, :4, 4:8] += 150
    return {"datatype": "UINT8", "shape": (16, 16, 3)}, images


def _series(*, gaps: bool = False) -> tuple[dict[str, Any], NDArray[Any]]:
    rows = np.random.default_rng(0).normal(size=(N_ITEMS, 32, 2)).astype(np.float32)
    rows[1::2, 4:6] += 4
    if gaps:
        rows[::5, :6] = np.nan
    return {
        "datatype": "FP32", "shape": (32, 2), "channels": ("u", "v"), "allow_missing": gaps
    }, rows  # fmt: skip


def _quantity() -> dict[str, Any]:
    values = np.random.default_rng(2).normal(size=N_ITEMS) + np.arange(N_ITEMS) % 2
    of = {"kind": "regression", "labels": (), "tolerance": 0.5, "interval_coverage": 0.9}
    return of | {"targets": values.astype(np.float32)}


_STRANGE: dict[str, Any] = {"kind": "anomaly", "labels": (NORMAL, ANOMALY), "false_alarms": 0.1}
_CLUSTERS: dict[str, Any] = {"kind": "clusters", "labels": ("1", "2", NO_CLUSTER)}
_THREE: dict[str, Any] = {"labels": ("a", "b", "c"), "targets": np.arange(N_ITEMS) % 3}

KINDS: dict[str, Callable[[], TaskData]] = {
    "numbers, classes": lambda: _task({"input": _numbers(gaps=True)}),
    "numbers, quantity": lambda: _task({"input": _numbers()}, **_quantity()),
    "numbers and categories, classes": lambda: _task(
        {"input": _numbers(), "categories": _categories()}
    ),
    "numbers, anomalies": lambda: _task({"input": _numbers()}, **_STRANGE),
    "numbers, clusters": lambda: _task({"input": _numbers()}, **_CLUSTERS),
    "sentences, classes": lambda: _task({"text": _sentences()}, **_THREE),
    "sentences and numbers, classes": lambda: _task({"text": _sentences(), "input": _numbers()}),
    "images, classes": lambda: _task({"image": _images()}),
    "images, quantity": lambda: _task({"image": _images()}, **_quantity()),
    "images, anomalies": lambda: _task({"image": _images()}, **_STRANGE),
    "sequences, classes": lambda: _task({"series": _series()}),
    "sequences with gaps, quantity": lambda: _task({"series": _series(gaps=True)}, **_quantity()),
    "sequences, anomalies": lambda: _task({"series": _series()}, **_STRANGE),
}
"""Items by what they are and what is asked of them."""


if __name__ == "__main__":
    main()
