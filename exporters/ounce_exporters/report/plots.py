"""The plots of a model's section."""

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.card import GroupTable, Importance, LearningPoint

from ounce_exporters.report.svg import WIDTH, Frame, padded, picture, ticks

_BINS = 10
_LEAST_IN_BIN = 5
_MOST_LABELS = 20
"""Labels of a confusion matrix that can be read."""
_MOST_DOTS = 600
_MOST_BARS = 12
_ROW = 18
_LEAST_RANGE = 0.1
"""Of the accuracies that an axis shows."""
_CUT = 16
"""Letters of a name."""
_NAMES = 140
"""Pixels for names of a little more letters, left of bars."""
DARKEST = 0.55
"""Opacity of a cell that holds all of its row: more would hide its figure, by day or by night."""


def confusion(
    labels: Sequence[str], probabilities: NDArray[np.float32], targets: NDArray[Any]
) -> str | None:
    """Items by true label (rows) and answer (columns); None where there are too many labels."""
    n = len(labels)
    if n > _MOST_LABELS:
        return None
    counts = np.zeros((n, n), np.int64)
    np.add.at(counts, (targets, probabilities.argmax(axis=1)), 1)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    left, top = 92, 34
    wide = min(88, (WIDTH - left - 8) / n)
    high = min(44, wide)
    parts = [f'<text class="label" x="{left}" y="12">answer</text>']
    for i, label in enumerate(labels):
        name = escape(_cut(label, 13))
        y = top + (i + 0.5) * high + 3
        parts.append(f'<text class="tick end" x="{left - 6}" y="{y:.1f}">{name}</text>')
        x = left + (i + 0.5) * wide
        head = escape(_cut(label, max(2, int(wide / 7))))
        parts.append(f'<text class="tick mid" x="{x:.1f}" y="{top - 6}">{head}</text>')
        for j in range(n):
            style = "right" if i == j else "wrong"
            parts.append(
                f'<rect class="{style}" fill-opacity="{DARKEST * shares[i, j]:.3f}" '
                f'x="{left + j * wide:.1f}" '
                f'y="{top + i * high:.1f}" width="{wide - 1:.1f}" height="{high - 1:.1f}"/>'
            )
            if counts[i, j] and wide >= 14:
                parts.append(
                    f'<text class="tick mid label" x="{left + (j + 0.5) * wide:.1f}" '
                    f'y="{y:.1f}">{counts[i, j]}</text>'
                )
    return picture("Confusion matrix: true label by answer", parts, top + n * high + 8)


def calibration(probabilities: NDArray[np.float32], targets: NDArray[Any]) -> str:
    """How often answers of a confidence are right, in ten bins, beside how many there are.

    Bins of fewer than five items have no point: it would show chance.
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == targets
    place = np.clip((confidence * _BINS).astype(int), 0, _BINS - 1)
    low = np.floor(_BINS / probabilities.shape[1]) / _BINS
    frame = Frame((float(low), 1.0), (0.0, 1.0), "confidence", "share that is right")
    counts = np.bincount(place, minlength=_BINS)
    for k in np.flatnonzero(counts):
        span = (max(k / _BINS, float(low)), (k + 1) / _BINS)
        frame.bar(span, counts[k] / counts.sum(), "count")
    frame.line([(low, low), (1.0, 1.0)], "ideal")
    points = [
        (float(confidence[place == k].mean()), float(right[place == k].mean()))
        for k in np.flatnonzero(counts >= _LEAST_IN_BIN)
    ]
    frame.line(points, "main")
    frame.dots(points, "main")
    return frame.svg("Calibration: share that is right by confidence")


def residuals(estimates: NDArray[np.float32], targets: NDArray[Any], tolerance: float) -> str:
    """Error by predicted value, with the tolerance as two lines."""
    value = estimates[:, 0].astype(np.float64)
    error = value - targets
    rows = np.random.default_rng(0).permutation(len(value))[:_MOST_DOTS]
    reach = max(float(np.abs(error).max()), tolerance)
    frame = Frame(
        padded(float(value.min()), float(value.max())), padded(-reach, reach), "predicted", "error"
    )
    for at, style in ((tolerance, "ideal"), (-tolerance, "ideal"), (0.0, "axis")):
        frame.line([(frame.x[0], at), (frame.x[1], at)], style)
    frame.dots([(float(value[i]), float(error[i])) for i in rows], "faint", 2)
    return frame.svg("Residuals: error by predicted value")


def learning_curve(points: Sequence[LearningPoint], measure: str) -> str:
    """A measure on what taught the model and on what did not, by the number of rows that taught."""
    scores = [s for p in points for s in (p.train, p.validation)]
    # A narrower range would show chance as a trend.
    room = max(_LEAST_RANGE - (max(scores) - min(scores)), 0.0) / 2
    low, high = padded(min(scores) - room, max(scores) + room)
    frame = Frame(
        (0.0, float(points[-1].n_rows) * 1.05), (max(low, 0.0), min(high, 1.0)), "rows", measure
    )
    for style, name in (("second", "train"), ("main", "validation")):
        line = [(float(p.n_rows), getattr(p, name)) for p in points]
        frame.line(line, style)
        frame.dots(line, style)
    return frame.svg(f"Learning curve: {measure} by rows, of training and validation")


def importances(found: Sequence[Importance]) -> str:
    """What is lost where an input is shuffled: the greatest, with their spread."""
    shown = sorted(found, key=lambda i: -i.lost)[:_MOST_BARS]
    greatest = max(max(i.lost + i.spread for i in shown), 1e-9)
    left, right = _NAMES, 52
    parts = []
    for k, item in enumerate(shown):
        y = 8 + k * _ROW
        scale = (WIDTH - left - right) / greatest
        width = max(item.lost, 0.0) * scale
        ends = [left + max(item.lost + sign * item.spread, 0.0) * scale for sign in (-1, 1)]
        name = escape(_cut(item.input, _CUT + 2))
        parts += [
            f'<text class="tick end" x="{left - 6}" y="{y + 11}">{name}</text>',
            f'<rect class="bar" x="{left}" y="{y}" width="{width:.1f}" height="{_ROW - 5}"/>',
            f'<line class="axis" x1="{ends[0]:.1f}" x2="{ends[1]:.1f}" '
            f'y1="{y + 6.5}" y2="{y + 6.5}"/>',
            f'<text class="tick" x="{ends[1] + 4:.1f}" y="{y + 11}">{item.lost:z.3f}</text>',
        ]
    return picture("Importances: what is lost where an input is shuffled", parts,
                   16 + len(shown) * _ROW)  # fmt: skip


def groups(table: GroupTable) -> str:
    """Accuracy of each group with its interval, the lowest first."""
    shown = sorted(table.groups, key=lambda g: g.accuracy.value)
    low = min(g.accuracy.low for g in shown)
    low, high = np.floor(low * 10) / 10, 1.0
    left, right = _NAMES, 52
    span = WIDTH - left - right

    def at(share: float) -> float:
        return float(left + (share - low) / (high - low) * span)

    foot = 12 + len(shown) * _ROW
    parts = []
    for value in ticks(low, high):
        x = at(value)
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="4" y2="{foot}"/>')
        parts.append(f'<text class="tick mid" x="{x:.1f}" y="{foot + 14}">{value:g}</text>')
    for k, group in enumerate(shown):
        y, a = 14 + k * _ROW, group.accuracy
        name = escape(_cut(group.name, _CUT + 2))
        parts += [
            f'<text class="tick end" x="{left - 6}" y="{y + 3}">{name}</text>',
            f'<line class="axis" x1="{at(a.low):.1f}" x2="{at(a.high):.1f}" y1="{y}" y2="{y}"/>',
            f'<circle class="main" cx="{at(a.value):.1f}" cy="{y}" r="3.5"/>',
            f'<text class="tick" x="{WIDTH - right + 8}" y="{y + 3}">n {a.n:,}</text>',
        ]
    return picture(f"Accuracy by {table.column}", parts, foot + 20)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
