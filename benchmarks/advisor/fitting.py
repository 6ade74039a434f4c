"""Fits the forecasts of learning curves on LCDB, and measures them on data sets left out.

Example: python -m benchmarks.advisor.fitting --data lcdb
"""

import json
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from ounce_exporters.advisor.forecasting import Correction, spread_features
from scipy.optimize import nnls
from sklearn.linear_model import QuantileRegressor

from benchmarks.advisor.curves import DOUBLINGS, Cases, folds_of, read_cases
from benchmarks.results import Cell, Table, publish_option, report

OUT = Path("exporters/ounce_exporters/advisor/forecasts.json")
_LEAST_SPREAD = 1e-3
_POINT = 0.01
_DIGITS = 5


def fit(cases: Cases) -> Correction:
    """Weights by least absolute error, the spread by least squares, both ends by quantiles."""
    gain = cases.last - cases.truth
    model = QuantileRegressor(quantile=0.5, alpha=0.0, solver="highs").fit(cases.features, gain)
    weights = np.append(model.coef_, model.intercept_)
    residuals = gain - _gain(cases, weights)
    spread, _ = nnls(spread_features(cases.features), np.abs(residuals))
    spread[-1] += _LEAST_SPREAD
    low, high = np.quantile(residuals / _scale(cases, spread), [0.05, 0.95])
    return Correction(
        cases.doublings,
        tuple(np.round(weights, _DIGITS).tolist()),
        tuple(np.round(spread, _DIGITS).tolist()),
        round(float(low), _DIGITS),
        round(float(high), _DIGITS),
    )


def judge(cases: Cases) -> list[Cell]:
    """Figures on data sets that had no part in fitting, of one number of doublings."""
    gain = cases.last - cases.truth
    expected, low, high = (np.empty(len(gain)) for _ in range(3))
    for left_out in folds_of(cases.sets):
        found = fit(cases.take(~left_out))
        judged = cases.take(left_out)
        expected[left_out] = _gain(judged, np.array(found.weights))
        scale = _scale(judged, np.array(found.spread))
        low[left_out] = expected[left_out] + found.low * scale
        high[left_out] = expected[left_out] + found.high * scale
    grows = gain >= _POINT
    return [
        f"{2**cases.doublings:.3g}",
        len(gain),
        _points(gain - expected),
        _points(cases.law - cases.truth),
        _points(gain),
        round(100 * float(((low <= gain) & (gain <= high)).mean()), 1),
        round(100 * float(((expected >= _POINT) == grows).mean()), 1),
        round(100 * float((((cases.last - cases.law) >= _POINT) == grows).mean()), 1),
        round(100 * float(max(grows.mean(), 1 - grows.mean())), 1),
    ]


def _gain(cases: Cases, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(cases.features @ weights[:-1] + weights[-1])


def _scale(cases: Cases, spread: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(spread_features(cases.features) @ spread)


def _points(differences: NDArray[np.float64]) -> float:
    return round(100 * float(np.abs(differences).mean()), 2)


@click.command()
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    required=True,
    help="Folder with accuracy.parquet of LCDB 1.0.",
)
@publish_option
def command(data: Path, publish: bool) -> None:
    """Fit the forecasts of `ounce advise`, write them, and measure them on sets left out."""
    cases = [read_cases(data, doublings) for doublings in DOUBLINGS]
    content = {
        "source": "LCDB 1.0, Mohr et al. 2022; python -m benchmarks.advisor.fitting",
        "corrections": [vars(fit(of)) for of in cases],
    }
    OUT.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    click.echo(f"{OUT}: written")
    table = Table(
        columns=[
            "times the rows",
            "curves",
            "mean error, points",
            "power law",
            "last value",
            "90% band holds, %",
            "one more point? right, %",
            "power law right, %",
            "majority right, %",
        ],
        rows=[judge(of) for of in cases],
        note="LCDB 1.0, data sets left out in five turns. Errors are of accuracy, in points.",
    )
    report("advisor_curves", {"advisor_curves": table}, publish=publish)


if __name__ == "__main__":
    command()
