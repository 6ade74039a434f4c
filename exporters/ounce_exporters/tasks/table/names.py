"""Names of a table's columns."""

from collections import Counter
from collections.abc import Sequence

from ounce_schemas.errors import DataError


def check_names(names: Sequence[str]) -> None:
    """Refuse names that stand twice: which of the two is meant would be a guess.

    Raises:
        DataError: names repeat.
    """
    repeated = [repr(name) for name, n in Counter(names).items() if n > 1]
    if repeated:
        raise DataError(f"column names repeat: {', '.join(repeated)}; rename or remove all but one")
