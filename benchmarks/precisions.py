"""Measures what other forms of the models of trained ladders cost and answer, here.

Each form is made of the model's ONNX file, and races against it. Training items of the task set
the ranges of INT8; accuracy is on the test split.

Example: python -m benchmarks.precisions --models models
"""

from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import onnx
from ounce_edge.models.runtimes.base import LoadedModel
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_exporters.ladder.recipe import TaskData
from ounce_exporters.lighter.forms import CALIBRATION_ITEMS, Form, NotWorthwhileError, convert
from ounce_exporters.lighter.race import race
from ounce_exporters.lighter.recipes import MOST_OF_TIME
from ounce_exporters.tasks import registry
from ounce_schemas.card import ModelCard
from ounce_schemas.documents import CARD_FILE, MODEL_FILE, read_card

from benchmarks.gpu_forms import is_form
from benchmarks.results import Cell, Table, models_option, publish_option, report

COLUMNS = [
    "model",
    "form",
    "time of a call, 1 item",
    "time of a call, 32 items",
    "size",
    "accuracy, test, before → after",
    "kept",
]


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@models_option
@publish_option
def main(models: Path, publish: bool) -> None:
    """Measure the tasks that ship, those of which there is a ladder."""
    tables = {}
    for task in registry.TASKS:
        cards = _originals(models / task)
        if not cards:
            continue
        data = registry.find_task(task).load(0, quick=False)
        rows = [row for card in cards for row in measure(models / task, card, data)]
        tables[f"precisions-{task}"] = Table(columns=COLUMNS, rows=rows, note=NOTE)
    report("precisions", tables, publish=publish)


NOTE = (
    "Times and sizes are shares of the original's, with one thread: the quickest call of rounds in "
    f"which both take turns. Kept: one of the times is at most {MOST_OF_TIME}."
)


def measure(ladder: Path, card: ModelCard, data: TaskData) -> Iterator[list[Cell]]:
    """A row for each form that suits a model."""
    folder = ladder / card.model
    content = (folder / MODEL_FILE).read_bytes()
    original = _load(content)
    sample = {name: a[:CALIBRATION_ITEMS] for name, a in data.train.inputs.items()}
    is_network = card.family == "neural"
    for form in [form for form in Form if is_network or not form.has_fewer_bits]:
        try:
            made = convert(onnx.load_from_string(content), form, sample).SerializeToString()
        except NotWorthwhileError as e:
            click.echo(f"{folder.name} {form}: {e}")
            continue
        lighter = _load(made)
        ratios = race(lighter, original, sample)
        yield [
            folder.name,
            str(form),
            *(f"{ratios[n]:.2f}" for n in (1, 32)),
            f"{len(made) / len(content):.2f}",
            f"{_accuracy(original, data):.4f} → {_accuracy(lighter, data):.4f}",
            "yes" if min(ratios.values()) <= MOST_OF_TIME else "no",
        ]
        click.echo(f"{folder.name} {form}: {ratios}")


def _originals(folder: Path) -> list[ModelCard]:
    """Cards of a task's models that are no other forms themselves."""
    paths = sorted(folder.glob(f"[!.]*/{CARD_FILE}"))
    return [read_card(path) for path in paths if not is_form(path.parent)]


def _load(content: bytes) -> LoadedModel:
    return OnnxCpuRuntime().load(Path(MODEL_FILE), content)


def _accuracy(model: LoadedModel, data: TaskData) -> float:
    answers = model.run(data.test.inputs).argmax(axis=1)
    return float(np.mean(answers == data.test.targets))


if __name__ == "__main__":
    main()
