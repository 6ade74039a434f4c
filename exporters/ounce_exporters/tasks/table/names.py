"""Names of a table's columns."""

from collections import Counter
from collections.abc import Iterable, Sequence

from ounce_schemas.errors import DataError

_INVISIBLE = "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
"""Soft hyphen, zero-width characters, marks of direction and of byte order."""


def visible(name: str) -> str:
    """A name as people see it: without invisible characters around it."""
    kept = name.strip(_INVISIBLE)
    return kept if kept == name else kept.strip()


def check_names(names: Sequence[str]) -> None:
    """Refuse names that stand twice: which of the two is meant would be a guess.

    Raises:
        DataError: names repeat.
    """
    repeated = [repr(name) for name, n in Counter(names).items() if n > 1]
    if repeated:
        raise DataError(f"column names repeat: {', '.join(repeated)}; rename or remove all but one")


def check_inputs(inputs: Iterable[tuple[str, str]]) -> None:
    """Refuse inputs of one name, such as the hour of a date `at` beside a column `at.hour`.

    Args:
        inputs: the name of each, and the column that it is read from.

    Raises:
        DataError: two columns become inputs of one name.
    """
    column_of: dict[str, str] = {}
    for name, column in inputs:
        other = column_of.setdefault(name, column)
        if other != column:
            raise DataError(
                f"columns {other!r} and {column!r} both become the input {name!r}: rename one of "
                f"them, or leave it out with --without '{other}' or --without '{column}'"
            )
