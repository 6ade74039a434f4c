"""Figures in words: what rounds to nothing is told so. Pure."""

from ounce_schemas.wording import figure

LEVEL = 0.05
"""Points that no figure of one digit shows."""
_SAME = 0.05
"""Share of the work that nobody would notice."""
_LEAST_RATIO = 0.01
_NOTHING = "no measurable difference"


def signed(points: float) -> str:
    """A gain or a loss in points; what rounds to nothing has no sign."""
    return f"{points:+.1f}" if abs(points) >= LEVEL else "0.0"


def gain(points: float) -> str:
    """A gain or a loss in points, where one can be seen."""
    if abs(points) < LEVEL:
        return f"{_NOTHING} (under {LEVEL:g} points)"
    return f"{signed(points)} points"


def forecast(points: float, low: float, high: float) -> str:
    """A gain or a loss in points to expect, and the band of it."""
    seen = signed(points) if abs(points) >= LEVEL else _NOTHING
    return f"{seen} ({signed(low)} to {signed(high)})"


def against(points: float, other: str) -> str:
    """How far something is ahead of another, after "is" or "are"."""
    if abs(points) < LEVEL:
        return f"level with {other}"
    return f"{signed(points)} points against {other}"


def work(ratio: float) -> str:
    """Work as a multiple of another's."""
    if abs(ratio - 1) < _SAME:
        return "about the same work"
    if ratio < _LEAST_RATIO:
        return "less than a hundredth of the work"
    return f"{figure(ratio, 2)} times the work"


def percent(share: float, digits: int = 1) -> str:
    """A share that is not 0, with so many digits behind the point; never as 0%."""
    least = 10.0 ** -(digits + 2)
    if share <= least / 2:  # a half is rounded to even
        return f"under {least:.{digits}%}"
    return f"{share:.{digits}%}"
