"""The remaining life of turbofan engines: models, and how many cycles they read."""

import time
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import pandas as pd
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_exporters.ladder.recipe import FittedModel, Split, TaskData
from ounce_exporters.tasks.sequence.sequences import SEQUENCE_INPUT
from ounce_exporters.tasks.sequence.windows import cut_windows
from ounce_exporters.tasks.table.options import TableOptions, Writing
from ounce_exporters.tasks.table.recipes import recipes
from ounce_exporters.tasks.table.task import load

from benchmarks.kinds.series import joined
from benchmarks.results import Cell, Table

CAP = 125
"""Cycles that are told at most."""
_WINDOW = 30
_WINDOWS = (30, 50, 70)
_QUICK = ("ridge", "gradient-boosting", "mlp-1d")


def measure_remaining_life(folder: Path) -> Table:
    """Root mean squared error on the test engines of C-MAPSS FD001, and time of an item.

    Args:
        folder: holds `cmapss/train_FD001.txt`, `test_FD001.txt` and `RUL_FD001.txt`.
    """
    data = _engines(folder, _WINDOW)
    data = replace(data, train=joined(data.train, data.test))  # those that validate are of train
    asked = _test_engines(folder, data)
    rows: list[list[Cell]] = []
    for recipe in recipes(data):
        model = recipe.fit(data, 0, lambda share: None)
        rows.append([recipe.name, f"{_rmse(model, asked):.2f}", _microseconds(model, asked)])
    note = (
        f"{len(data.train):,} windows of {_WINDOW} cycles, {len(asked)} test engines, "
        f"cap {CAP} cycles, one seed. To reach: 13.5, and a light model within a tenth of it."
    )
    return Table(["model", "RMSE, cycles", "µs an item, calls of 100"], rows, note)


def measure_windows(folder: Path) -> Table:
    """The same of the models that are quick to train, for windows of several lengths.

    Args:
        folder: as of `measure_remaining_life`.
    """
    rows: list[list[Cell]] = []
    for window in _WINDOWS:
        data = _engines(folder, window)
        asked = _test_engines(folder, data)
        everything = replace(data, train=joined(data.train, data.test))
        for recipe in recipes(data):
            if recipe.name in _QUICK:
                apart = _rmse(recipe.fit(data, 0, lambda share: None), data.test)
                model = recipe.fit(everything, 0, lambda share: None)
                errors = f"{apart:.2f}", f"{_rmse(model, asked):.2f}"
                rows.append([window, recipe.name, *errors, _microseconds(model, asked)])
                click.echo(rows[-1])
    columns = ["cycles", "model", "RMSE, held-out training engines", "RMSE, test engines"]
    note = f"A quarter of the training engines is held out first. Cap {CAP} cycles, one seed."
    return Table([*columns, "µs an item, calls of 100"], rows, note)


def _engines(folder: Path, window: int) -> TaskData:
    options = TableOptions(
        writing=Writing(header=False), unit="0", time="1", window=window, remaining=CAP,
        without=frozenset({"2", "3", "4"}),
    )  # fmt: skip
    path = folder / "cmapss" / "train_FD001.txt"
    data = load(path, None, "engines", options, 0, lambda line: None)
    return replace(data, units=None, folds=None)


def _rmse(model: FittedModel, asked: Split) -> float:
    error = model.predict(asked.inputs)[:, 0].clip(0, CAP) - asked.targets
    return float(np.sqrt(np.square(error).mean()))


def _test_engines(folder: Path, data: TaskData) -> Split:
    table = pd.read_csv(folder / "cmapss" / "test_FD001.txt", sep=r"\s+", header=None)
    left = np.loadtxt(folder / "cmapss" / "RUL_FD001.txt").clip(0, CAP).astype(np.float32)
    channels = [int(name) for name in data.spec.inputs[0].channels or ()]
    values = table[channels].to_numpy(np.float32)
    n_steps = data.spec.inputs[0].shape[0]
    windows = cut_windows(values, table[0].to_numpy(np.int64), n_steps)
    ends = np.append(np.flatnonzero(np.diff(table[0])), len(table) - 1)
    return Split({SEQUENCE_INPUT: windows[ends]}, left)


def _microseconds(model: FittedModel, asked: Split) -> str:
    """Median time of an item through the edge's own runtime."""
    loaded = OnnxCpuRuntime(threads=1).load(Path("model.onnx"), model.to_onnx().SerializeToString())
    times: list[float] = []
    for _ in range(30):
        start_s = time.perf_counter()
        loaded.run(asked.inputs)
        times.append(time.perf_counter() - start_s)
    return f"{np.median(times) * 1e6 / len(asked):.1f}"
