"""Measures distillation on scikit-learn's bundled tables, and on public ones.

Example: python -m benchmarks.kinds.distilled --data FOLDER --seeds 2
"""

import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import click
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from ounce_exporters.evaluation.figures import accepted
from ounce_exporters.ladder.recipe import Recipe, TaskData
from ounce_exporters.tasks.table.options import TableOptions
from ounce_exporters.tasks.table.recipes import recipes
from ounce_exporters.tasks.table.task import load
from ounce_exporters.training.crossfit import select, taught_by
from ounce_exporters.training.distillation import fit_taught
from sklearn import datasets

from benchmarks.results import Cell, Table, publish_option, report

_BUNDLED = ("breast_cancer", "digits", "diabetes")
_PUBLIC = ("letter", "optdigits", "phoneme", "satimage", "segment", "vehicle")
_MOST_ROWS = 4_000
"""Of a public table; a sample of more."""
_TEACHERS = ("logistic-regression", "ridge", "kernel-svm", "extra-trees")
_LIGHT = "mlp-small"


def measure_distillation(seeds: int, folder: Path | None = None) -> Table:
    """One row a table: acceptable answers to rows that no model has learned from.

    The teacher is the best of four on the validation rows of a split. The test rows of all splits
    count together.

    Args:
        seeds: how many splits.
        folder: holds `tables/NAME.parquet`; None: bundled tables alone.
    """
    rows: list[list[Cell]] = []
    for name in (*_BUNDLED, *(_PUBLIC if folder else ())):
        rows.append(_measure(name, seeds, folder))
        click.echo(rows[-1])
    note = (
        f"{seeds} splits of at most {_MOST_ROWS:,} rows; their test rows count together. The "
        "teacher is the best on validation rows of a split. To reach: half of the gap closed on "
        "two tables of three."
    )
    columns = ["table", "test rows", "teachers", "teacher's", _LIGHT, "distilled", "gap closed"]
    return Table(columns, rows, note)


def _measure(name: str, seeds: int, folder: Path | None) -> list[Cell]:
    runs = [_run(_load(name, seed, folder), seed) for seed in range(seeds)]
    teachers = ", ".join(sorted({best for best, _ in runs}))
    right = np.concatenate([answers for _, answers in runs], axis=1)
    teacher, alone, taught = (float(share) for share in right.mean(axis=1))
    gap = teacher - alone
    closed = f"{(taught - alone) / gap:.0%}" if gap > 0 else "no gap"
    shares = [f"{share:.2%}" for share in (teacher, alone, taught)]
    return [name, right.shape[1], teachers, *shares, closed]


def _run(data: TaskData, seed: int) -> tuple[str, NDArray[np.bool_]]:
    """The best teacher, and which test rows it, the network and the student answer acceptably;
    shape (3, n_test)."""
    by_name = {recipe.name: recipe for recipe in recipes(data)}
    fitted = {n: _answers(by_name[n], data, seed) for n in _TEACHERS if n in by_name}
    best = max(fitted, key=lambda n: float(fitted[n][0].mean()))
    light = by_name[_LIGHT]
    distilled = replace(light, fit=partial(fit_taught, light, by_name[best]))
    alone, taught = (_answers(recipe, data, seed)[1] for recipe in (light, distilled))
    return best, np.stack([fitted[best][1], alone, taught])


def _load(name: str, seed: int, folder: Path | None) -> TaskData:
    """The table with its first fold as validation rows."""
    if folder is None or name in _BUNDLED:
        frame = getattr(datasets, f"load_{name}")(as_frame=True).frame
    else:
        frame = pd.read_parquet(folder / "tables" / f"{name}.parquet")
    if len(frame) > _MOST_ROWS:
        frame = frame.sample(_MOST_ROWS, random_state=seed)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / f"{name}.csv"
        frame.to_csv(path, index=False)
        data = load(path, "target", name.replace("_", "-"), TableOptions(), seed, lambda line: None)
    assert data.folds is not None  # the tables are small
    validation = select(data.train, data.folds == 0)
    return replace(taught_by(data, data.folds != 0), validation=validation)


def _answers(recipe: Recipe, data: TaskData, seed: int) -> list[NDArray[np.bool_]]:
    """Which answers to the validation and to the test rows are acceptable."""
    model = recipe.fit(data, seed, lambda share: None)
    return [
        accepted(data.spec, model.predict(items.inputs), items.targets)
        for items in (data.validation, data.test)
    ]


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--seeds", type=click.IntRange(min=1), default=3, help="Splits of each table.")
@click.option(
    "--data",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder with tables/, for six public tables, too.",
)
@publish_option
def main(seeds: int, data: Path | None, publish: bool) -> None:
    """Measure, show and write the table."""
    table = measure_distillation(seeds, data)
    report("kinds_distilled", {"kinds-distilled": table}, publish=publish)


if __name__ == "__main__":
    main()
