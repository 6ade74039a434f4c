"""How accurate a kind of model may be with more rows: a power law, corrected and given a band by
what learning curves of public data sets turned out to do.

The corrections are figures in `forecasts.json`, fitted by `python -m benchmarks.advisor.fitting` on
LCDB 1.0 (F. Mohr, T. J. Viering, M. Loog, J. N. van Rijn, "LCDB 1.0: An Extensive Learning Curves
Database for Classification Tasks", ECML PKDD 2022).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.advice import Band, CurvePoint

FACTORS = (2.0, 4.0, 10.0)
"""Times the rows that is forecast."""
N_POINTS = 4
"""Of a curve, each of about twice the rows of the one before."""
_EXPONENTS = np.linspace(0.05, 2.0, 14)
_MISFIT = 0.03
"""Root mean square distance of a curve from the best power law: above, there is no forecast."""
_RISE = 0.03
"""Error that more rows have added at the last step: above, there is no forecast."""
_FILE = "forecasts.json"
Z_90 = 1.645
"""Standard errors to each side that hold 90%."""


@dataclass(frozen=True)
class Correction:
    """Fitted figures for one number of doublings."""

    doublings: float
    weights: tuple[float, ...]
    """Of `features`, and a constant last: the error that is gone with so many more rows."""
    spread: tuple[float, ...]
    """Of the features' absolute values, and a constant last: how far off that may be."""
    low: float
    high: float
    """Quantiles of how far off it was, over the spread: 5% and 95%."""


def features(
    rows: NDArray[np.float64], errors: NDArray[np.float64], train: float, n: float
) -> tuple[NDArray[np.float64], float]:
    """What a forecast is made of.

    Args:
        rows: of four points, ascending; array of shape (4,).
        errors: 1 less the accuracy on held-out rows at each; array of shape (4,).
        train: error on the rows of the last point.
        n: rows to forecast.

    Returns:
        Array of shape (11,), and the misfit of the power law.
    """
    law, at_last, misfit = extrapolate(rows, errors, n)
    e3, e2, e1, e0 = (float(e) for e in errors)
    d1, d2, d3 = e1 - e0, e2 - e1, e3 - e2
    gap = e0 - train
    going_on = max(d1, 0.0) * min(max(d1 / max(d2, 1e-4), 0.0), 1.0)
    values = [at_last - law, d1, d2, d3, e0, gap, going_on, misfit, gap * e0]
    values += [np.log2(rows[-1]) * e0 / 10, abs(d1 - d2)]
    return np.array(values), misfit


def forecast(curve: Sequence[CurvePoint], n_rows: int, n_judged: int) -> Band | None:
    """Accuracy with more rows, and its 90% band; None: there is no forecast.

    None where the curve has fewer than four points, is no power law, or falls with more rows.

    Args:
        curve: points of a race.
        n_rows: at most about 11 times the rows of the last point.
        n_judged: held-out rows that the points are of: the band holds their noise, too.
    """
    if len(curve) < N_POINTS:
        return None
    points = curve[-N_POINTS:]
    rows = np.array([p.n_rows for p in points], np.float64)
    errors = np.array([1 - p.validation for p in points])
    if (np.diff(rows) <= 0).any() or n_rows < rows[-1]:
        return None
    if errors[-1] - errors[-2] > _RISE:
        return None
    values, misfit = features(rows, errors, 1 - points[-1].train, n_rows)
    if misfit > _MISFIT:
        return None
    gain, low, high = _corrected(values, float(np.log2(n_rows / rows[-1])))
    accuracy = points[-1].validation

    noise = Z_90 * standard_error(accuracy, n_judged)
    low = gain - float(np.hypot(gain - low, noise))
    high = gain + float(np.hypot(high - gain, noise))

    def share(gained: float) -> float:
        return round(min(max(accuracy + gained, 0.0), 1.0), 6)

    return Band(n_rows=n_rows, value=share(gain), low=share(low), high=share(high))


def standard_error(share: float, n: int) -> float:
    """Of a share of n independent rows, with one row more of each kind: of few rows it is not 0."""
    smoothed = (share * n + 1) / (n + 2)
    return float(np.sqrt(smoothed * (1 - smoothed) / (n + 2)))


def spread_features(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """What the width of a band is made of; the last axis is the features'."""
    ones = np.ones((*values.shape[:-1], 1))
    return np.concatenate([np.abs(values), ones], axis=-1)


@cache
def corrections() -> tuple[Correction, ...]:
    """The fitted figures, by doublings."""
    content = json.loads((files(__package__) / _FILE).read_text(encoding="utf-8"))
    return tuple(
        Correction(c["doublings"], tuple(c["weights"]), tuple(c["spread"]), c["low"], c["high"])
        for c in content["corrections"]
    )


def _corrected(values: NDArray[np.float64], doublings: float) -> tuple[float, float, float]:
    """Gain and its band, between the two nearest numbers of doublings that were fitted."""
    known = corrections()
    at = np.array([c.doublings for c in known])
    found = np.array([_gain(c, values) for c in known])
    # With no more rows there is nothing to gain.
    at, found = np.append(0.0, at), np.vstack([np.zeros(3), found])
    gain, low, high = (float(np.interp(doublings, at, column)) for column in found.T)
    return gain, min(low, gain), max(high, gain)


def _gain(correction: Correction, values: NDArray[np.float64]) -> tuple[float, float, float]:
    gain = float(np.append(values, 1.0) @ np.array(correction.weights))
    scale = float(spread_features(values) @ np.array(correction.spread))
    return gain, gain + correction.low * scale, gain + correction.high * scale


def extrapolate(
    rows: NDArray[np.float64], errors: NDArray[np.float64], n: float
) -> tuple[float, float, float]:
    """Of the law c + a n^-b with a, c >= 0 that is nearest: the error at n and at the last point,
    and the root mean square distance. Points weigh by the root of their rows."""
    weights = np.sqrt(rows) / np.sqrt(rows).sum()
    best: tuple[float, float, float, float] | None = None
    for exponent in _EXPONENTS:
        x = rows**-exponent
        mean_x, mean_e = float(weights @ x), float(weights @ errors)
        slope = float(weights @ ((x - mean_x) * (errors - mean_e)))
        a = max(slope / float(weights @ np.square(x - mean_x)), 0.0)
        c = mean_e - a * mean_x
        if c < 0:
            c, a = 0.0, max(float(weights @ (x * errors)) / float(weights @ np.square(x)), 0.0)
        distance = float(weights @ np.square(errors - c - a * x))
        if best is None or distance < best[0] - 1e-12:
            best = (distance, c, a, float(exponent))
    assert best is not None
    distance, c, a, exponent = best
    return c + a * n**-exponent, c + a * float(rows[-1]) ** -exponent, float(np.sqrt(distance))
