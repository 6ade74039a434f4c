"""Hold promises of ladders against the truth: tables that are generated, so that rows never end.

Each table is small; every plan of its ladder then answers 50,000 fresh rows of the same
distribution. So the share of them that are right is the true accuracy, but for a thousandth.

Example: python -m benchmarks.public_tables.truth --tables 6
"""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import pandas as pd
from click.testing import CliRunner
from numpy.typing import NDArray
from ounce_exporters.ladder.recipe import Split
from ounce_exporters.tasks.table.options import TableOptions
from ounce_exporters.tasks.table.task import load
from ounce_exporters.tasks.table.tensors import NUMERIC_INPUT
from ounce_exporters.train_command.command import command as train
from sklearn.datasets import make_classification, make_friedman1

from benchmarks import results
from benchmarks.public_tables.case import TASK, Ladder, Promise

FRESH = 50_000
ROWS = (200, 600, 1500)
LEAST_KEPT = 0.95
LINEAR = "linear"
"""Logistic or ridge regression, as the kind of table asks for."""

Rows = tuple[NDArray[np.float64], NDArray[np.float64]]


def two_classes(n: int, seed: int) -> Rows:
    """Of about one size, one answer of ten wrong by chance."""
    rows: Rows = make_classification(
        n, 10, n_informative=4, flip_y=0.2, class_sep=0.8, random_state=seed
    )
    return rows


def rare_class(n: int, seed: int) -> Rows:
    """One row of ten is of the second."""
    rows: Rows = make_classification(
        n, 10, n_informative=4, weights=[0.9], flip_y=0.02, random_state=seed
    )
    return rows


def five_classes(n: int, seed: int) -> Rows:
    """That are hard to tell apart."""
    rows: Rows = make_classification(n, 10, n_informative=6, n_classes=5, random_state=seed)
    return rows


def quantity(n: int, seed: int) -> Rows:
    """Curved, with noise (J. H. Friedman, Annals of Statistics 19, 1991)."""
    rows: Rows = make_friedman1(n, n_features=8, noise=2.0, random_state=seed)
    return rows


KINDS: tuple[Callable[[int, int], Rows], ...] = (two_classes, rare_class, five_classes, quantity)


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--tables", default=5, show_default=True, help="Of each kind and size.")
@click.option(
    "--only", multiple=True, help="Model of the ladders, or linear (repeated); default: all."
)
@results.publish_option
def main(tables: int, only: tuple[str, ...], publish: bool) -> None:
    """Run, print and write."""
    rows: list[list[results.Cell]] = []
    every: list[Promise] = []
    for make in KINDS:
        for n in ROWS:
            found: list[Promise] = []
            for seed in range(tables):
                with tempfile.TemporaryDirectory() as scratch:
                    found += check(make, n, seed, Path(scratch), only)
            every += found
            rows.append([make.__name__.replace("_", " "), n, *_share(found)])
            click.echo(f"{make.__name__}, {n} rows: {rows[-1][-1]} promises kept", err=True)
    rows.append(["**all**", None, *_share(every)])
    columns = ["kind", "rows of a table", "promises", "kept"]
    note = f"Tables of each kind and size: {tables}. To reach: {LEAST_KEPT:.0%}."
    table = results.Table(columns, rows, note)
    results.report("promises", {"promises": table}, publish=publish)


def check(
    make: Callable[[int, int], Rows],
    n: int,
    seed: int,
    folder: Path,
    only: tuple[str, ...] = (),
    n_fresh: int = FRESH,
) -> list[Promise]:
    """Train the ladder of one generated table, and ask its plans fresh rows.

    Args:
        make: of the table's kind.
        n: rows of the table.
        seed: of the table and of training.
        folder: for both.
        only: models of the ladder; default: all.
        n_fresh: fresh rows.
    """
    features, truth = make(n + n_fresh, seed)
    columns = [f"x{i}" for i in range(features.shape[1])]
    frame = pd.DataFrame(features, columns=columns)
    frame["target"] = truth
    path = folder / "table.csv"
    frame.iloc[:n].to_csv(path, index=False)
    words = ["--data", str(path), "--target", "target", "--task", TASK, "--seed", str(seed)]
    words += ["--models", str(folder)]
    linear = "ridge" if make is quantity else "logistic-regression"
    for name in only:
        words += ["--only", linear if name == LINEAR else name]
    CliRunner().invoke(train, words, catch_exceptions=False)
    data = load(path, "target", TASK, TableOptions(), seed, lambda line: None)
    read = data.spec.inputs[0].columns or ()
    targets = frame["target"].to_numpy()[n:]
    if data.spec.labels:
        targets = np.array([data.spec.labels.index(f"{t:g}") for t in targets])
    else:
        targets = targets.astype(np.float32)
    inputs = {NUMERIC_INPUT: frame[list(read)].to_numpy(np.float32)[n:]}
    fresh = replace(data, test=Split(inputs, targets))
    return Ladder(folder / TASK, fresh).promises()


def _share(promises: list[Promise]) -> tuple[int, str]:
    kept = sum(p.right / p.n >= p.low for p in promises)
    return len(promises), f"{kept / len(promises):.1%}"


if __name__ == "__main__":
    main()
