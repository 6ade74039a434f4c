"""Plots as SVG elements: a frame with two axes, and marks in it. Colours come from the page."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from html import escape

WIDTH, HEIGHT = 360, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 12, 40
_LABEL = 24
"""Pixels that the label of the y axis takes, with the gap beside the ticks."""
_TICKS = 5
LETTER = 6.5
"""Pixels that a letter of a tick takes, about."""


@dataclass
class Frame:
    """An area of a plot with its scales; marks are added in the units of the data."""

    x: tuple[float, float]
    y: tuple[float, float]
    x_label: str
    y_label: str
    powers: bool = False
    """Whether x is a logarithm to base 10: ticks show what it is of."""
    marks: list[str] = field(default_factory=list)

    @cached_property
    def left(self) -> float:
        """Pixels before the y axis: room for its label and the longest of its ticks."""
        longest = max((len(short(value)) for value in ticks(*self.y)), default=0)
        return max(_LEFT, _LABEL + LETTER * longest)

    def at(self, x: float, y: float) -> tuple[float, float]:
        """A point in pixels."""
        across = (x - self.x[0]) / (self.x[1] - self.x[0])
        up = (y - self.y[0]) / (self.y[1] - self.y[0])
        return (
            self.left + across * (WIDTH - self.left - _RIGHT),
            HEIGHT - _BOTTOM - up * (HEIGHT - _TOP - _BOTTOM),
        )

    def line(self, points: Sequence[tuple[float, float]], style: str) -> None:
        """A line through points."""
        path = " ".join(f"{px:.1f},{py:.1f}" for px, py in (self.at(*p) for p in points))
        self.marks.append(f'<polyline class="{style}" points="{path}"/>')

    def dots(self, points: Sequence[tuple[float, float]], style: str, radius: float = 3) -> None:
        """A dot at each point."""
        for point in points:
            px, py = self.at(*point)
            self.marks.append(
                f'<circle class="{style}" cx="{px:.1f}" cy="{py:.1f}" r="{radius:g}"/>'
            )

    def bar(self, span: tuple[float, float], height: float, style: str) -> None:
        """A bar from the foot of the frame; `span` is where it begins and ends on the x axis."""
        left, top = self.at(span[0], height)
        right, foot = self.at(span[1], self.y[0])
        self.marks.append(
            f'<rect class="{style}" x="{left + 0.5:.1f}" y="{top:.1f}" '
            f'width="{max(right - left - 1, 0.5):.1f}" height="{foot - top:.1f}"/>'
        )

    def svg(self, title: str) -> str:
        """The whole plot."""
        left, foot = self.at(self.x[0], self.y[0])
        right, top = self.at(self.x[1], self.y[1])
        parts = []
        named = power_ticks(*self.x) if self.powers else [(v, short(v)) for v in ticks(*self.x)]
        free = 0.0
        for value, name in named:
            half = LETTER * len(name) / 2
            px = min(self.at(value, self.y[0])[0], WIDTH - half)
            if px - half < free:
                continue
            free = px + half + LETTER
            parts.append(f'<text class="tick mid" x="{px:.1f}" y="{foot + 14:.1f}">{name}</text>')
        for value in ticks(*self.y):
            _, py = self.at(self.x[0], value)
            parts.append(
                f'<line class="grid" x1="{left}" x2="{right}" y1="{py:.1f}" y2="{py:.1f}"/>'
            )
            parts.append(
                f'<text class="tick end" x="{left - 5}" y="{py + 3:.1f}">{short(value)}</text>'
            )
        middle = (left + right) / 2
        parts.append(
            f'<text class="label mid" x="{middle}" y="{HEIGHT - 6}">{escape(self.x_label)}</text>'
        )
        height = (foot + top) / 2
        parts.append(
            f'<text class="label mid" transform="translate(12 {height}) rotate(-90)">'
            f"{escape(self.y_label)}</text>"
        )
        return picture(title, [*parts, *self.marks], HEIGHT)


def picture(title: str, parts: Sequence[str], height: float) -> str:
    """An SVG element with a title that a screen reader says."""
    return (
        f'<svg viewBox="0 0 {WIDTH:g} {height:g}" width="{WIDTH:g}" height="{height:g}" role="img">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )


def ticks(low: float, high: float) -> list[float]:
    """Round values in a range, about five."""
    raw = (high - low) / _TICKS
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [k * step for k in range(first, math.floor(high / step + 1e-9) + 1)]


def power_ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Places of round values whose logarithms to base 10 are in a range, each with its text."""
    powers = range(math.floor(low), math.ceil(high) + 1)
    for steps in ((1, 2, 5), (1,)):
        values = [step * 10.0**power for power in powers for step in steps]
        values = [value for value in values if low <= math.log10(value) <= high]
        if len(values) <= _TICKS + 2:
            break
    if len(values) < 2:
        values = ticks(10**low, 10**high)
    return [(math.log10(value), f"{value:,.6g}") for value in values]


def short(value: float) -> str:
    """A number as briefly as a tick needs it."""
    text = f"{value:.4g}"
    return "0" if float(text) == 0 else f"{float(text):,.12g}"  # no exponent but of tiny ones


def padded(low: float, high: float) -> tuple[float, float]:
    """A range with a little room at both ends; never empty."""
    room = (high - low) * 0.05 or abs(high) * 0.05 or 1.0
    return low - room, high + room
