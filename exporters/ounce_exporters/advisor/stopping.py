"""Which arms of a race need not go on."""

import math
from collections.abc import Callable, Collection, Sequence

from ounce_schemas.advice import CurvePoint, Limits

from ounce_exporters.advisor.forecasting import Z_90, Correction, corrections, standard_error
from ounce_exporters.advisor.race import Runner

_LEAST_POINTS = 3
"""Of a curve, before it may end."""


def stop_rule(
    limits: Limits, spared: Collection[str], rows: int, n_judged: int
) -> Callable[[Sequence[Runner]], dict[str, str]]:
    """The rule for a race.

    An arm stops where the upper end of its band at all rows is below the lower end of the best
    arm's. None stops where a plan has a limit of latency or size: the best arm may break it.

    Args:
        limits: of a plan.
        spared: names of arms that run to the end, for what they show.
        rows: of the last point of a race.
        n_judged: held-out rows.
    """

    def stops(runners: Sequence[Runner]) -> dict[str, str]:
        if limits.max_latency_ms is not None or limits.max_size_mb is not None:
            return {}
        known = {r.recipe.name: r.curve for r in runners if len(r.curve) >= _LEAST_POINTS}
        bands = {name: _band(curve, rows, n_judged) for name, curve in known.items()}
        if not bands:
            return {}
        best = max(bands, key=lambda name: bands[name][0])
        floor = bands[best][0]
        return {
            name: f"at most {high:.4f} to expect, {best} at least {floor:.4f}"
            for name, (_, high) in bands.items()
            if high < floor and name not in spared
        }

    return stops


def _band(curve: Sequence[CurvePoint], rows: int, n_judged: int) -> tuple[float, float]:
    """Accuracy to expect of all rows: both ends of a band that three points can give.

    The last doubling's gain may come again at each that is left. The doubt is that of a forecast of
    so many doublings, and the noise of the held-out rows.
    """
    last, before = curve[-1], curve[-2]
    left = math.log2(max(rows / last.n_rows, 1.0))
    known = min(corrections(), key=lambda c: abs(c.doublings - left))
    noise = Z_90 * standard_error(last.validation, n_judged)
    doubt = math.hypot(_doubt(known, last), noise)
    gain = left * max(last.validation - before.validation, 0.0)
    return max(last.validation - doubt, 0.0), min(last.validation + gain + doubt, 1.0)


def _doubt(correction: Correction, point: CurvePoint) -> float:
    """How far off a forecast may be, by the error and the gap to training."""
    error, gap = 1 - point.validation, max(point.train - point.validation, 0.0)
    of_error, of_gap, constant = correction.spread[4], correction.spread[5], correction.spread[-1]
    return correction.high * (of_error * error + of_gap * gap + constant)
