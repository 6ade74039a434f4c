"""Anomalies: area under the ROC curve against nearest neighbours, and false alarms as promised."""

from pathlib import Path

import numpy as np
from ounce_exporters.export.p_values import fit_p_values
from ounce_exporters.recipe import TaskData
from ounce_exporters.tasks.table.options import TableOptions
from ounce_exporters.tasks.table.recipes import recipes
from ounce_exporters.tasks.table.task import load
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

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
_NEIGHBOURS = 5
_MOST_ROWS = 5_000
"""That nearest neighbours are looked for among; and that are asked."""


def measure_anomalies(folder: Path, seeds: int) -> Table:
    """One row a table, and their mean: areas, and the worst model's false alarms.

    Args:
        folder: holds `anomaly/shuttle.csv.gz` and `tables/NAME.parquet`.
        seeds: splits, each trained anew.
    """
    paths = [(folder / "anomaly" / "shuttle.csv.gz", "anomaly")]
    paths += [(folder / "tables" / f"{name}.parquet", "target") for name in _IMBALANCED]
    rows: list[list[Cell]] = []
    areas = []
    for path, target in paths:
        runs = []
        for seed in range(seeds):
            options = TableOptions(kind="anomaly", false_alarms=RATE)
            runs.append(_run(load(path, target, "t", options, seed, lambda line: None), seed))
        mean = np.mean(runs, axis=0)
        areas.append(mean)
        rows.append([path.name.split(".")[0], *_told(mean)])
    rows.append(["mean", *_told(np.mean(areas, axis=0))])
    columns = ["table", "AUC, isolation forest", "AUC, Mahalanobis", "AUC, 5 nearest neighbours"]
    columns += ["false alarms, isolation forest", "false alarms, Mahalanobis"]
    note = f"{seeds} splits; all learn from the same normal rows. Promised: {RATE:.0%} alarms."
    return Table(columns, rows, note)


def _run(data: TaskData, seed: int) -> list[float]:
    truth = data.test.targets
    areas, alarms = {}, {}
    for recipe in recipes(data):
        model = recipe.fit(data, seed, lambda share: None)
        curve = fit_p_values(model.predict(data.validation.inputs), data.validation.targets, RATE)
        scores = model.predict(data.test.inputs)
        flags = curve.apply(scores).argmax(axis=1)
        areas[recipe.name] = float(roc_auc_score(truth, scores[:, 0]))
        alarms[recipe.name] = float(flags[truth == 0].mean())
    names = ("isolation-forest", "mahalanobis")
    return [
        *(areas[name] for name in names),
        _neighbours(data, seed),
        *(alarms[name] for name in names),
    ]


def _neighbours(data: TaskData, seed: int) -> float:
    """The distance to the fifth neighbour among standardized normal rows, texts left out."""
    learned = data.train.inputs["input"][data.train.targets == 0].astype(np.float64)
    asked, truth = data.test.inputs["input"].astype(np.float64), data.test.targets
    rng = np.random.default_rng(seed)
    learned = learned[rng.permutation(len(learned))[:_MOST_ROWS]]
    some = rng.permutation(len(asked))[:_MOST_ROWS]
    centre, spread = np.nanmean(learned, axis=0), np.nanstd(learned, axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    learned, asked = ((np.nan_to_num((x - centre) / spread)) for x in (learned, asked[some]))
    found = NearestNeighbors(n_neighbors=_NEIGHBOURS).fit(learned)
    distances, _ = found.kneighbors(asked)
    return float(roc_auc_score(truth[some], distances[:, -1]))


def _told(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> list[str]:
    return [*(f"{v:.3f}" for v in values[:3]), *(f"{v:.2%}" for v in values[3:])]
