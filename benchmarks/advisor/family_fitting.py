"""Fits how far behind the best each kind of model may be, on LCDB, and judges it on sets left out.

Example: python -m benchmarks.advisor.family_fitting --data lcdb
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import click
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from ounce_exporters.advisor.family_prior import FamilyPrior, describe, doubtful, lag_of
from scipy.optimize import nnls
from sklearn.linear_model import QuantileRegressor

from benchmarks.advisor.curves import N_FOLDS, folds_of
from benchmarks.results import Cell, Table, publish_option, report

OUT = Path("exporters/ounce_exporters/advisor/families.json")
FAMILIES = {
    "logistic-regression": (
        "sklearn.linear_model.LogisticRegression",
        "sklearn.linear_model.RidgeClassifier",
        "sklearn.discriminant_analysis.LinearDiscriminantAnalysis",
    ),
    "decision-tree": ("sklearn.tree.DecisionTreeClassifier",),
    "random-forest": ("sklearn.ensemble.RandomForestClassifier",),
    "extra-trees": ("sklearn.ensemble.ExtraTreesClassifier",),
    "gradient-boosting": ("sklearn.ensemble.GradientBoostingClassifier",),
}
"""Kinds of models, each with the learners of LCDB that stand for it: the best of them counts. Of
linear ones several do, since columns are not scaled there."""
_LEAST_SEEDS = 5
_LEAST_ROWS = 64
_LEAST_SPREAD = 1e-3
_DIGITS = 4
_ALIKE = 0.5


@dataclass(frozen=True)
class Tables:
    """Public tables at growing numbers of rows, one row each."""

    sets: NDArray[np.int64]
    """Number of the data set of each; shape (n,)."""
    described: NDArray[np.float64]
    """Array of shape (n, 6), as of `describe`."""
    lags: NDArray[np.float64]
    """Points behind the best of all kinds; shape (n, n_families)."""

    def take(self, rows: NDArray[np.bool_]) -> "Tables":
        """Some of them."""
        return Tables(self.sets[rows], self.described[rows], self.lags[rows])


def read_tables(folder: Path) -> Tables:
    """LCDB's tables, each at every second of its sizes that all kinds have."""
    curves = pd.read_parquet(folder / "accuracy.parquet")
    curves = curves[(curves["n"] >= _LEAST_SEEDS) & (curves["size_train"] >= _LEAST_ROWS)]
    known = pd.read_csv(folder / "datasets.csv").set_index("openmlid")
    sets, described, lags = [], [], []
    for key, at in curves.groupby(["openmlid", "size_train"], sort=True):
        number, rows = cast(tuple[int, float], key)
        accuracy = at.set_index("learner")["accuracy"]
        best = [max((accuracy.get(n, np.nan) for n in names), default=np.nan)
                for names in FAMILIES.values()]  # fmt: skip
        if np.isnan(best).any() or number not in known.index:
            continue
        about = known.loc[number].to_dict()
        constant = about["MajorityClassSize"] / about["NumberOfInstances"]
        if not constant > 0:
            continue
        sets.append(number)
        described.append(
            describe(
                rows,
                int(about["NumberOfFeatures"]),
                int(about["NumberOfClasses"]),
                float(constant),
                float(about["PercentageOfSymbolicFeatures"]) / 100,
            )
        )
        lags.append(100 * (max(best) - np.array(best)))
    return Tables(np.array(sets), np.array(described), np.array(lags))


def fit(tables: Tables) -> list[FamilyPrior]:
    """Weights by least absolute error, the spread by least squares, both ends by quantiles."""
    found = []
    for place, name in enumerate(FAMILIES):
        lag = tables.lags[:, place]
        model = QuantileRegressor(quantile=0.5, alpha=0.0, fit_intercept=False, solver="highs")
        weights = model.fit(tables.described, lag).coef_
        off = lag - tables.described @ weights
        spread, _ = nnls(tables.described, np.abs(off))
        spread[-1] += _LEAST_SPREAD
        low, high = np.quantile(off / (tables.described @ spread), [0.1, 0.9])
        found.append(
            FamilyPrior(
                name,
                tuple(np.round(weights, _DIGITS).tolist()),
                tuple(np.round(spread, _DIGITS).tolist()),
                round(float(low), _DIGITS),
                round(float(high), _DIGITS),
            )
        )
    return found


def judge(tables: Tables) -> tuple[list[list[Cell]], str]:
    """Figures of each kind on data sets that had no part in fitting, and of the choice to race."""
    n, kinds = len(tables.sets), len(FAMILIES)
    expected, low, high, mean = (np.empty((n, kinds)) for _ in range(4))
    raced = np.ones((n, kinds), np.bool_)
    for left_out in folds_of(tables.sets):
        others, rows = tables.take(~left_out), left_out.nonzero()[0]
        mean[left_out] = np.median(others.lags, axis=0)
        priors = fit(others)
        for row in rows:
            known = {prior.model: lag_of(prior, tables.described[row]) for prior in priors}
            behind = doubtful(known)
            for place, (name, found) in enumerate(known.items()):
                expected[row, place], low[row, place] = found.expected, found.low
                high[row, place], raced[row, place] = found.high, name not in behind
    lag = tables.lags
    cells: list[list[Cell]] = [
        [
            name,
            round(float(lag[:, k].mean()), 2),
            round(float(np.abs(lag[:, k] - expected[:, k]).mean()), 2),
            round(float(np.abs(lag[:, k] - mean[:, k]).mean()), 2),
            round(100 * float(((low[:, k] <= lag[:, k]) & (lag[:, k] <= high[:, k])).mean()), 1),
            round(100 * float(raced[:, k].mean()), 1),
        ]
        for k, name in enumerate(FAMILIES)
    ]
    kept = (raced & (lag <= _ALIKE)).any(axis=1).mean()
    lost = np.where(raced, lag, np.inf).min(axis=1)
    lost = np.where(np.isinf(lost), lag.max(axis=1), lost)
    note = (
        f"LCDB 1.0, {len(np.unique(tables.sets))} data sets at growing numbers of rows, left out "
        f"in {N_FOLDS} turns. Of {raced.sum(axis=1).mean():.1f} kinds that are worth racing, one "
        f"is within {_ALIKE} points of the best in {100 * kept:.1f}% of cases; {lost.mean():.2f} "
        "points are lost on the mean."
    )
    return cells, note


@click.command()
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    required=True,
    help="Folder with accuracy.parquet and datasets.csv of LCDB 1.0.",
)
@publish_option
def command(data: Path, publish: bool) -> None:
    """Fit what `ounce advise` expects of kinds of models, write it, and measure it."""
    tables = read_tables(data)
    content = {
        "source": "LCDB 1.0, Mohr et al. 2022; python -m benchmarks.advisor.family_fitting",
        "n_sets": len(np.unique(tables.sets)),
        "families": [vars(prior) for prior in fit(tables)],
    }
    OUT.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    click.echo(f"{OUT}: written")
    rows, note = judge(tables)
    table = Table(
        columns=[
            "kind of model",
            "points behind the best, mean",
            "mean error of the expectation",
            "of the median alone",
            "80% band holds, %",
            "worth racing, %",
        ],
        rows=rows,
        note=note,
    )
    report("advisor_families", {"advisor_families": table}, publish=publish)


if __name__ == "__main__":
    command()
