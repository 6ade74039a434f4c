"""Anomalies: areas under the ROC curve against pyod's detectors, and false alarms as promised."""

import json
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
from ounce_exporters.export.p_values import fit_p_values
from ounce_exporters.ladder.recipe import Split, TaskData
from ounce_exporters.tasks.table.options import TableOptions
from ounce_exporters.tasks.table.preprocessing import preprocessing
from ounce_exporters.tasks.table.recipes import recipes
from ounce_exporters.tasks.table.task import load
from ounce_exporters.training.classical import as_matrix
from sklearn.metrics import roc_auc_score

from benchmarks.peers.base import Peer
from benchmarks.peers.environment import PeerUnavailableError, prepare
from benchmarks.results import Cell, Table

RATE = 0.05
_IMBALANCED = (
    "abalone19",
    "ecoli3",
    "kddcup-rootkit-imap_vs_back",
    "page-blocks0",
    "shuttle-c0-vs-c4",
    "yeast4",
)
_OURS = ("isolation-forest", "mahalanobis", "autoencoder")
_THEIRS = ("IForest", "ECOD", "kNN")
_PEER = Peer("pyod", "pyod", "raw", ("pyod==2.*",), lambda python, job: [python], 0)
_PROGRAM = Path(__file__).with_name("pyod_detectors.py")
_MOST_ROWS = 10_000
"""That are asked, and that pyod learns from."""
Found = dict[str, tuple[float, float]]
"""Area and share of false alarms by model."""


def measure_anomalies(folder: Path, seeds: int) -> dict[str, Table]:
    """Tables of areas and of false alarms: a row for each data set, and their mean.

    Args:
        folder: holds `anomaly/shuttle.csv.gz` and `tables/NAME.parquet`.
        seeds: splits, each trained anew.
    """
    paths = [(folder / "anomaly" / "shuttle.csv.gz", "anomaly")]
    paths += [(folder / "tables" / f"{name}.parquet", "target") for name in _IMBALANCED]
    found: dict[str, Found] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for path, target in paths:
            name = path.name.split(".")[0]
            runs = []
            for seed in range(seeds):
                options = TableOptions(kind="anomaly", false_alarms=RATE)
                data = load(path, target, "t", options, seed, lambda line: None)
                data = _sampled(data, seed)
                _write(data, Path(scratch) / f"{name}-{seed}.npz")
                runs.append(_run(data, seed))
            found[name] = _mean(runs)
            click.echo(f"{name}: {found[name]}")
        _add_theirs(found, Path(scratch), seeds)
    found["mean"] = _mean(list(found.values()))
    note = f"{seeds} splits; all learn from the same normal rows."
    promised = f"{note} Promised: {RATE:.0%}."
    return {
        "kinds-anomalies": Table(_columns("AUC", found), list(_rows(found, 0)), note),
        "kinds-false-alarms": Table(_columns("flagged", found), list(_rows(found, 1)), promised),
    }


def _columns(what: str, found: dict[str, Found]) -> list[str]:
    theirs = [f"{what}, pyod's {name}" for name in found["mean"] if name in _THEIRS]
    return ["table", *(f"{what}, {name}" for name in _OURS), *theirs]


def _rows(found: dict[str, Found], which: int) -> Iterator[list[Cell]]:
    for name, of_models in found.items():
        values = [measured[which] for measured in of_models.values()]
        yield [name, *(f"{value:.2%}" if which else f"{value:.3f}" for value in values)]


def _sampled(data: TaskData, seed: int) -> TaskData:
    """The same task with a sample of its test rows, where they are many."""
    some = np.random.default_rng(seed).permutation(len(data.test))[:_MOST_ROWS]
    inputs = {name: array[some] for name, array in data.test.inputs.items()}
    return replace(data, test=Split(inputs, data.test.targets[some]))


def _run(data: TaskData, seed: int) -> Found:
    truth = data.test.targets
    found = {}
    made = {recipe.name: recipe for recipe in recipes(data)}
    for name in _OURS:
        model = made[name].fit(data, seed, lambda share: None)
        curve = fit_p_values(model.predict(data.validation.inputs), data.validation.targets, RATE)
        scores = model.predict(data.test.inputs)
        flags = curve.apply(scores).argmax(axis=1)
        area = float(roc_auc_score(truth, scores[:, 0]))
        found[name] = area, float(flags[truth == 0].mean())
    return found


def _write(data: TaskData, path: Path) -> None:
    """Standardized features of normal rows to learn from, and of the test rows."""
    normal = data.train.targets == 0
    inputs = {name: array[normal] for name, array in data.train.inputs.items()}
    columns = preprocessing(data.spec)
    learned = columns.fit_transform(as_matrix(data.spec, inputs), data.train.targets[normal])
    asked = columns.transform(as_matrix(data.spec, data.test.inputs))
    some = np.random.default_rng(0).permutation(len(learned))[:_MOST_ROWS]
    np.savez(path, learned=learned[some], asked=asked, truth=data.test.targets)


def _add_theirs(found: dict[str, Found], folder: Path, seeds: int) -> None:
    """Add what pyod's detectors find; nothing where it can't be installed, and why is shown."""
    files = [folder / f"{name}-{seed}.npz" for name in found for seed in range(seeds)]
    try:
        python = prepare(_PEER)
    except PeerUnavailableError as e:
        click.echo(f"pyod is not measured: {e}")
        return
    command: list[str | Path] = [python, _PROGRAM, str(RATE), *files]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        click.echo(f"pyod is not measured: {result.stderr.strip()[-300:]}")
        return
    runs: list[Found] = [json.loads(line) for line in result.stdout.splitlines()]
    for i, name in enumerate(found):
        found[name] |= _mean(runs[i * seeds : (i + 1) * seeds])


def _mean(runs: list[Found]) -> Found:
    return {
        name: (
            float(np.mean([run[name][0] for run in runs])),
            float(np.mean([run[name][1] for run in runs])),
        )
        for name in runs[0]
    }
