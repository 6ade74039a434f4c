"""Cost and accuracy of a ladder's plans as a plot: numbered points and their frontier."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ounce_edge.recommender.rule.explanation import Assessment

WIDTH, HEIGHT = 640, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 16, 16, 44


@dataclass(frozen=True)
class Point:
    """A plan in the plot; x and y in the plot's own units."""

    number: int
    plan: str
    cost: float
    accuracy: float
    accuracy_low: float
    p99_ms: float
    x: float
    y: float
    y_low: float
    is_best: bool
    """No plan is cheaper and as accurate."""


@dataclass(frozen=True)
class Plot:
    """All that is drawn."""

    points: Sequence[Point]
    line: str
    """Of the frontier, as SVG wants it."""
    x_ticks: Sequence[tuple[float, str]]
    y_ticks: Sequence[tuple[float, str]]


def plot(plans: Sequence[Assessment]) -> Plot:
    """The plot of a ladder, cost on a logarithmic axis."""
    ordered = sorted(plans, key=lambda a: (a.cost, -a.accuracy))
    logs = [math.log10(max(a.cost, 1e-9)) for a in ordered] or [0.0]
    x_from, x_to = min(logs) - 0.1, max(logs) + 0.1
    lows = [a.accuracy_low for a in ordered] or [0.0]
    y_from, y_to = min(lows) - 0.01, min(max([a.accuracy for a in ordered] or [1.0]) + 0.01, 1.0)

    def x(log: float) -> float:
        return round(_LEFT + (log - x_from) / (x_to - x_from) * (WIDTH - _LEFT - _RIGHT), 1)

    def y(accuracy: float) -> float:
        part = (accuracy - y_from) / (y_to - y_from)
        return round(HEIGHT - _BOTTOM - part * (HEIGHT - _TOP - _BOTTOM), 1)

    points, best = [], -math.inf
    for number, (a, log) in enumerate(zip(ordered, logs, strict=False), start=1):
        is_best = a.accuracy > best
        best = max(best, a.accuracy)
        points.append(
            Point(
                number, a.plan, a.cost, a.accuracy, a.accuracy_low, a.p99_ms,
                x(log), y(a.accuracy), y(a.accuracy_low), is_best,
            )
        )  # fmt: skip
    line = " ".join(f"{p.x},{p.y}" for p in points if p.is_best)
    x_ticks = [(x(math.log10(cost)), f"{cost:g}") for cost in _costs(10**x_from, 10**x_to)]
    step = next(s for s in (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 1) if y_to - y_from <= 6 * s)
    first = math.ceil(y_from / step)
    y_ticks = [(y(k * step), f"{k * step:.3g}") for k in range(first, int(y_to / step) + 1)]
    return Plot(points, line, x_ticks, y_ticks)


def _costs(least: float, most: float) -> list[float]:
    """Round numbers within bounds: few of each power of ten, more where these are less than
    three."""
    powers = range(math.floor(math.log10(least)), math.ceil(math.log10(most)) + 1)
    found: list[float] = []
    for steps in ((1, 3), (1, 2, 5), range(1, 10)):
        found = [k * 10.0**n for n in powers for k in steps if least <= k * 10.0**n <= most]
        if len(found) >= 3:
            break
    return found
