"""Names of columns as senders spell them."""

from collections import Counter
from collections.abc import Sequence

from ounce_edge.wire.formats.near_names import fold


def spellings(names_of: Sequence[Sequence[str]]) -> dict[str, tuple[int, ...]]:
    """Places by each name as it is, and by the folded one where that means one column.

    Args:
        names_of: each place.
    """
    exact: dict[str, tuple[int, ...]] = {}
    for i, names in enumerate(names_of):
        for name in names:
            exact[name] = (*exact.get(name, ()), i)
    folded = Counter(fold(name) for name in exact)
    alone = {"\0" + f: exact[name] for name in exact if folded[f := fold(name)] == 1 and f}
    return {**alone, **exact}
