"""Sequences: six sets against aeon's MiniRocket."""

import json
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
from ounce_exporters.ladder.recipe import Split
from ounce_exporters.tasks.table.options import TableOptions
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
        asked = joined(data.validation, data.test)  # the official test series
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


def joined(first: Split, second: Split) -> Split:
    """The items of both."""
    inputs = {
        name: np.concatenate([array, second.inputs[name]]) for name, array in first.inputs.items()
    }
    return Split(inputs, np.concatenate([first.targets, second.targets]))


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
