"""How messages to people put numbers, values and paths."""

import shlex
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path

_WHOLE_FROM = 100.0
"""From here on a figure has no digits behind the point."""
_MOST_SHOWN = 40
"""Characters of a value."""


def counted(n: float, one: str, many: str = "") -> str:
    """A number with what it counts, in the right one of two forms.

    Args:
        n: is rounded.
        one: of a single one, such as `row`.
        many: of none and of more; empty: with an s.
    """
    number = f"{n:,.0f}"
    return f"{number} {one if number == '1' else many or one + 's'}"


def figure(value: float, digits: int = 3) -> str:
    """So many digits that count, without an exponent where the figure is large."""
    rounded = f"{value:.{digits}g}"
    return f"{value:,.0f}" if abs(float(rounded)) >= _WHOLE_FROM else rounded


def shown(value: object) -> str:
    """The beginning of any value as a message shows it, such as `'warm'` or `[1, 2]`."""
    try:
        return repr(value)[:_MOST_SHOWN]
    except ValueError:  # of a whole number: Python writes no more than 4,300 digits
        return "a number of thousands of digits"
    except RecursionError:
        return "a list of lists, nested too deeply"


def utc_text(at_ms: int, *, sep: str = " ", timespec: str = "seconds", end: str = "") -> str:
    """A time in UTC; a dash before 1970, as where Kafka has none; its number where no calendar has
    it.

    Args:
        at_ms: since 1970.
        sep: between date and time.
        timespec: as `datetime.isoformat` takes it.
        end: behind the time.
    """
    if at_ms < 0:
        return "-"
    try:
        at = datetime.fromtimestamp(at_ms / 1e3, UTC)
    except (ValueError, OverflowError, OSError):
        return f"{at_ms} ms"
    return at.isoformat(sep, timespec).replace("+00:00", end)


def shell_word(path: Path) -> str:
    """A path as one word of a command that a person copies into a shell."""
    return shlex.quote(str(path))


def table(rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> str:
    """Columns of equal width, the last one as it is.

    Args:
        rows: of equal length; the headings first.
        right: numbers of the columns that are aligned on the right.
    """
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]) - 1)]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if k in right else cell.ljust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=False))
        ]
        lines.append("  ".join([*cells, row[-1]]).rstrip())
    return "\n".join(lines)
