"""Drawings in text: large figures, bars and sparklines."""

from collections.abc import Sequence

_FONT = {
    "0": ("█▀█", "█ █", "▀▀▀"),
    "1": ("▀█ ", " █ ", "▀▀▀"),
    "2": ("▀▀█", "█▀▀", "▀▀▀"),
    "3": ("▀▀█", "▀▀█", "▀▀▀"),
    "4": ("█ █", "▀▀█", "  ▀"),
    "5": ("█▀▀", "▀▀█", "▀▀▀"),
    "6": ("█▀▀", "█▀█", "▀▀▀"),
    "7": ("▀▀█", "  █", "  ▀"),
    "8": ("█▀█", "█▀█", "▀▀▀"),
    "9": ("█▀█", "▀▀█", "▀▀▀"),
    ".": (" ", " ", "▀"),
    "×": ("   ", "▀▄▀", "▀ ▀"),
}
_EIGHTHS_UP = " ▁▂▃▄▅▆▇█"
_EIGHTHS_RIGHT = " ▏▎▍▌▋▊▉█"


def large(text: str) -> str:
    """Digits, `.` and `×` three lines tall.

    Raises:
        KeyError: another character.
    """
    return "\n".join(" ".join(_FONT[character][row] for character in text) for row in range(3))


def bar(share: float, width: int) -> str:
    """A bar of `share` (clipped to [0, 1]) of `width` columns, in eighths, padded with spaces."""
    eighths = round(min(max(share, 0.0), 1.0) * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS_RIGHT[rest] if rest else "")).ljust(width)


def sparkline(values: Sequence[float], width: int, height: int = 1) -> list[str]:
    """Columns of the last `width` values, the greatest filling `height` lines; top line first."""
    shown = list(values)[-width:]
    most = max(shown, default=0.0)
    eighths = [round(value / most * height * 8) if most > 0 else 0 for value in shown]
    return [
        "".join(_EIGHTHS_UP[min(max(e - 8 * row, 0), 8)] for e in eighths).rjust(width)
        for row in reversed(range(height))
    ]
