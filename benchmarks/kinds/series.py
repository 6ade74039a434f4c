"""Sequences: six sets against aeon's MiniRocket, and the remaining life of turbofan engines."""

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import pandas as pd
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_exporters.recipe import FittedModel, Split, TaskData
from ounce_exporters.tasks.sequence.sequences import SEQUENCE_INPUT
from ounce_exporters.tasks.sequence.windows import cut_windows
from ounce_exporters.tasks.table.options import TableOptions, Writing
from ounce_exporters.tasks.table.recipes import recipes
from ounce_exporters.tasks.table.task import load
from ounce_exporters.training.minirocket import LENGTH, all_convolutions

from benchmarks.kinds.multiply_adds import count_multiply_adds
from benchmarks.peers.environment import FOLDER
from benchmarks.results import Cell, Table

SETS = (
    "ArrowHead",
    "BasicMotions",
    "GunPoint",
    "ItalyPowerDemand",
    "JapaneseVowels",
    "OSULeaf",
)
AEON = "aeon==1.6.*"
CAP = 125
_WINDOW = 30
_PEER = Path(__file__).with_name("aeon_minirocket.py")


def measure_series(folder: Path) -> Table:
    """One row a set: the pruned MiniRocket and the networks, on the official test series.

    Args:
        folder: holds `sequences/NAME_TRAIN.ts.gz` and `NAME_TEST.ts.gz`.
    """
    theirs = _peer(folder)
    rows: list[list[Cell]] = []
    for name in SETS:
        train, test = (folder / "sequences" / f"{name}_{part}.ts.gz" for part in ("TRAIN", "TEST"))
        data = load(train, None, "t", TableOptions(test=test), 0, lambda line: None)
        asked = _joined(data.validation, data.test)  # the official test series
        accuracy, cost = {}, 0.0
        for recipe in recipes(data):
            if recipe.name in ("minirocket", "cnn-1d"):
                model = recipe.fit(data, 0, lambda share: None)
                answers = model.predict(asked.inputs).argmax(axis=1)
                accuracy[recipe.name] = float((answers == asked.targets).mean())
            if recipe.name == "minirocket":
                cost = count_multiply_adds(model.to_onnx())
        n_steps, n_channels = data.spec.inputs[0].shape
        whole = all_convolutions(n_steps, n_channels, np.random.default_rng(0))
        all_of_them = sum(c.multiply_adds(n_steps) for c in whole)
        peer = theirs.get(name)
        rows.append(
            [
                name,
                f"{accuracy['minirocket']:.2%}",
                f"{accuracy['cnn-1d']:.2%}",
                "not measured" if peer is None else f"{peer:.2%}",
                f"{all_of_them / cost:.1f}",
            ]
        )
    columns = ["set", "minirocket", "cnn-1d", "aeon's MiniRocket", "times fewer multiply-adds"]
    note = (
        f"Official test series, one seed. Multiply-adds against all kernels of {LENGTH} weights, "
        "written as convolutions. To reach: within 0.5 points, 10 times."
    )
    return Table(columns, rows, note)


def measure_remaining_life(folder: Path) -> Table:
    """Root mean squared error on the test engines of C-MAPSS FD001, and time of an item.

    Args:
        folder: holds `cmapss/train_FD001.txt`, `test_FD001.txt` and `RUL_FD001.txt`.
    """
    options = TableOptions(
        writing=Writing(header=False), unit="0", time="1", window=_WINDOW, remaining=CAP,
        without=frozenset({"2", "3", "4"}),
    )  # fmt: skip
    path = folder / "cmapss" / "train_FD001.txt"
    data = load(path, None, "engines", options, 0, lambda line: None)
    everything = _joined(data.train, data.test)  # those that validate are of train
    data = replace(data, train=everything, units=None, folds=None)
    asked = _test_engines(folder / "cmapss", data)
    rows: list[list[Cell]] = []
    for recipe in recipes(data):
        model = recipe.fit(data, 0, lambda share: None)
        error = model.predict(asked.inputs)[:, 0].clip(0, CAP) - asked.targets
        rmse = float(np.sqrt(np.square(error).mean()))
        rows.append([recipe.name, f"{rmse:.2f}", f"{_microseconds(model, asked):.1f}"])
    note = (
        f"{len(everything):,} windows of {_WINDOW} cycles, {len(asked)} test engines, "
        f"cap {CAP} cycles, one seed. To reach: 13.5, and a light model within a tenth of it."
    )
    return Table(["model", "RMSE, cycles", "µs an item, calls of 100"], rows, note)


def _test_engines(folder: Path, data: TaskData) -> Split:
    table = pd.read_csv(folder / "test_FD001.txt", sep=r"\s+", header=None)
    left = np.loadtxt(folder / "RUL_FD001.txt").clip(0, CAP).astype(np.float32)
    channels = [int(name) for name in data.spec.inputs[0].channels or ()]
    values = table[channels].to_numpy(np.float32)
    windows = cut_windows(values, table[0].to_numpy(np.int64), _WINDOW)
    ends = np.append(np.flatnonzero(np.diff(table[0])), len(table) - 1)
    return Split({SEQUENCE_INPUT: windows[ends]}, left)


def _joined(first: Split, second: Split) -> Split:
    inputs = {
        name: np.concatenate([array, second.inputs[name]]) for name, array in first.inputs.items()
    }
    return Split(inputs, np.concatenate([first.targets, second.targets]))


def _microseconds(model: FittedModel, asked: Split) -> float:
    """Median time of an item through the edge's own runtime."""
    loaded = OnnxCpuRuntime(threads=1).load(Path("model.onnx"), model.to_onnx().SerializeToString())
    times: list[float] = []
    for _ in range(30):
        start_s = time.perf_counter()
        loaded.run(asked.inputs)
        times.append(time.perf_counter() - start_s)
    return float(np.median(times)) * 1e6 / len(asked)


def _peer(folder: Path) -> dict[str, float]:
    """Accuracy of aeon's MiniRocket by set; empty where it can't be installed, and why is shown."""
    home = FOLDER / "aeon"
    python = home / "bin" / "python"
    commands: list[list[str | Path]] = [[python, _PEER, folder, *SETS]]
    if not python.is_file():
        commands = [
            [sys.executable, "-m", "venv", home],
            [python, "-m", "pip", "install", "--quiet", AEON],
            *commands,
        ]
    told = ""
    for command in commands:
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode:
            click.echo(f"aeon is not measured: {result.stderr.strip()[-300:]}")
            return {}
        told = result.stdout
    found: dict[str, float] = json.loads(told.strip().splitlines()[-1])
    return found
