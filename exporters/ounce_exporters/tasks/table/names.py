"""Names of a table's columns."""

from collections import Counter
from collections.abc import Sequence

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
