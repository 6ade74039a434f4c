"""Measures what explanations cost, against the same model's answers without them.

Example: python -m benchmarks.kinds.explanations --models results/explained/quick --of digits
"""

import time
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
from ounce_edge.models.catalogue import Ladder, ServedModel, load_ladder
from ounce_edge.models.runtimes.base import Inputs
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime

from benchmarks.results import Cell, Table, publish_option, report

SIZES = (1, 8, 64)
"""Items of a call."""
_ROUNDS = 25
_LEAST_S = 0.02
"""That calls of one kind take at least, in all rounds."""
_TO_REACH = "To reach: 5 times, and a largest error of 1e-5."


def measure_explanations(models: Path, tasks: Sequence[str]) -> Table:
    """One row a model that explains its answers.

    Args:
        models: folder that `ounce train` writes.
        tasks: in it.
    """
    rows: list[list[Cell]] = []
    without: list[str] = []
    for task in tasks:
        ladder = load_ladder(models, task, OnnxCpuRuntime(), with_plans=False)
        items = _items(models, ladder)
        for model in ladder.models:
            if model.explained is None:
                without.append(f"{task}/{model.card.model}")
                continue
            rows.append(_row(task, model, model.explained, items))
    columns = ["task", "model", "method", "largest error", "µs an answer"]
    columns += [f"times the model, {n} in a call" for n in SIZES]
    note = f"Medians of {_ROUNDS} rounds in turn, through the edge's runtime. {_TO_REACH}"
    if without:
        note += f" Without explanations: {', '.join(without)}."
    return Table(columns, rows, note)


def _items(models: Path, ladder: Ladder) -> Inputs:
    with np.load(models / ladder.task.name / "test-split.npz", allow_pickle=False) as split:
        found = {tensor.name: split[tensor.name] for tensor in ladder.task.inputs}
    return {k: v.astype(object) if v.dtype.kind == "U" else v for k, v in found.items()}


def _row(task: str, model: ServedModel, explained: ServedModel, items: Inputs) -> list[Cell]:
    own = model.card.explanation
    assert own is not None  # else there is no graph
    ratios, one_us = list[str](), 0.0
    for n in SIZES:
        some = {name: np.resize(array, (n, *array.shape[1:])) for name, array in items.items()}
        plain_s, explained_s = _times_s((model, explained), some)
        ratios.append(f"{explained_s / plain_s:.1f}")
        one_us = one_us or plain_s * 1e6
    error = f"{own.largest_error:.0e}"
    return [task, model.card.model, own.method, error, f"{one_us:.0f}", *ratios]


def _times_s(models: Sequence[ServedModel], items: Inputs) -> list[float]:
    """Median time of a call of each, called in turn, so that a slow moment slows all."""
    times: list[list[float]] = [[] for _ in models]
    repeats = []
    for model in models:
        model.run(items)
        start_s = time.perf_counter()
        model.run(items)
        took_s = time.perf_counter() - start_s
        repeats.append(max(int(_LEAST_S / _ROUNDS / max(took_s, 1e-6)), 1))
    for _ in range(_ROUNDS):
        for model, n, of_one in zip(models, repeats, times, strict=True):
            start_s = time.perf_counter()
            for _ in range(n):
                model.run(items)
            of_one.append((time.perf_counter() - start_s) / n)
    return [float(np.median(of_one)) for of_one in times]


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--models",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=Path("models"),
    help="Folder that `ounce train` writes.",
)
@click.option("--of", "tasks", multiple=True, required=True, help="Task there. Repeat it.")
@publish_option
def main(models: Path, tasks: tuple[str, ...], publish: bool) -> None:
    """Measure, show and write the table."""
    table = measure_explanations(models, tasks)
    report("kinds_explanations", {"kinds-explanations": table}, publish=publish)


if __name__ == "__main__":
    main()
