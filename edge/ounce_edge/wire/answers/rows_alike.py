"""Made once for rows that are alike: many answers of a batch share the same figures."""

from collections.abc import Callable, Sequence
from itertools import starmap
from typing import cast

import numpy as np
from numpy.typing import NDArray

_FEW = 8
"""So many messages are encoded one by one: telling which of them are alike takes longer."""


def of_each_kind(make: Callable[..., bytes], *columns: NDArray[np.float64]) -> Sequence[bytes]:
    """What is made of the values of each row of columns of shape (n,), once for rows alike."""
    if len(columns[0]) <= _FEW:
        return list(map(make, *(column.tolist() for column in columns)))
    # Timestamps are whole milliseconds, so the messages of a batch share few distinct latencies.
    kinds = _kinds(*columns)
    examples = np.empty(kinds.max() + 1, dtype=np.intp)
    examples[kinds] = np.arange(len(kinds))
    present = np.flatnonzero(np.bincount(kinds))
    made = np.empty(len(examples), dtype=object)
    distinct = zip(*(column[examples[present]].tolist() for column in columns), strict=True)
    made[present] = list(starmap(make, distinct))
    return cast("list[bytes]", made[kinds].tolist())


def _kinds(*columns: NDArray[np.float64]) -> NDArray[np.intp]:
    """Whole numbers from 0 that tell the distinct rows of columns of shape (n,) apart; shape (n,).

    What they leave out between 0 and the greatest is little: they may be the indices of a table.
    """
    most = 8 * len(columns[0])  # sorting, which leaves out nothing, costs several times as much
    kinds: NDArray[np.intp] | None = None
    for column in columns:
        if (column == column[0]).all():
            continue
        steps = column - column.min()
        own = steps.astype(np.intp)
        if steps.max() > most or (own != steps).any():
            own = np.unique(column, return_inverse=True)[1]
        kinds = own if kinds is None else kinds * (own.max() + 1) + own
        if kinds.max() > most:
            kinds = np.unique(kinds, return_inverse=True)[1]
    return np.zeros(len(columns[0]), dtype=np.intp) if kinds is None else kinds
