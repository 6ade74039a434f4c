"""Names that are nearly those of columns, as misspelt ones are. Whatever the names are, to look for
them takes some milliseconds at most: senders choose them."""

import re
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

_ALIKE = 0.85
"""So alike is a misspelt name, and few names that mean something else."""
_MOST_NAMES = 100
_MOST_LETTERS = 100
_MOST_PAIRS = 20_000
"""Pairs of a name and a column whose letters are counted: about 0.1 us each."""
_MOST_COMPARED = 40
"""Pairs of nearly the same letters whose order is compared: some 20 us each. Only names that are
made for it have more without one that is alike."""
_BUCKETS = 128


def fold(name: str) -> str:
    """Without case, blanks and marks: senders write `room_temp`, `roomTemp` and `Room Temp`."""
    return re.sub(r"[\W_]+", "", name.casefold())


class NearNames:
    """Finds them, for some columns.

    Args:
        columns: their names.
    """

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = columns
        self._folded = [fold(name) for name in columns]
        self._sizes = np.array([len(name) for name in self._folded])
        self._counts = _count(self._folded)

    def find(self, names: Sequence[str], absent: Collection[str]) -> tuple[str, str] | None:
        """A name that is nearly that of an absent column, and that column.

        Args:
            names: that are no column's.
            absent: columns that are not among a row's names.
        """
        rows = np.array([i for i, name in enumerate(self._columns) if name in absent], np.intp)
        if not len(rows) or not names:
            return None
        names = names[: min(_MOST_NAMES, max(_MOST_PAIRS // len(rows), 1))]
        words = [fold(name[:_MOST_LETTERS])[:_MOST_LETTERS] for name in names]  # some grow
        # No name is more alike than its letters in any order are.
        common = np.minimum(_count(words)[:, None], self._counts[rows]).sum(axis=2, dtype=np.int32)
        sizes = np.array([[len(word)] for word in words]) + self._sizes[rows]
        most, left = 2.0 * common / np.maximum(sizes, 1), _MOST_COMPARED
        for i in np.flatnonzero((most >= _ALIKE).any(axis=1)).tolist():
            if not left:
                break
            likely = np.flatnonzero(most[i] >= _ALIKE)
            some = likely[np.argsort(-most[i, likely], kind="stable")][:left]
            found = self._most_alike(words[i], rows[some])
            if found is not None:
                return names[i], found
            left -= len(some)
        return None

    def _most_alike(self, word: str, columns: NDArray[np.intp]) -> str | None:
        best, found = _ALIKE, None
        for i in columns.tolist():
            ratio = _alike(word, self._folded[i])
            if ratio >= best and (found is None or ratio > best):
                best, found = ratio, self._columns[i]
        return found


def _alike(one: str, other: str) -> float:
    """How alike two names are, in [0, 1]: the share of their letters that stand in the same order
    in both, as of their longest common subsequence.

    One operation on bits takes each letter (H. Hyyrö, Bit-parallel LCS-length computation
    revisited, 2004).
    """
    places: dict[str, int] = {}
    for i, letter in enumerate(one):
        places[letter] = places.get(letter, 0) | 1 << i
    unmatched = everywhere = (1 << len(one)) - 1
    for letter in other:
        here = unmatched & places.get(letter, 0)
        unmatched = (unmatched + here) | (unmatched - here)
    common = len(one) - (unmatched & everywhere).bit_count()
    return 2.0 * common / max(len(one) + len(other), 1)


def _count(names: Sequence[str]) -> NDArray[np.uint8]:
    """How often each letter stands in each of some folded names, array of shape (n, 128); rare
    letters share places."""
    n = len(names)
    letters = np.frombuffer("".join(names).encode("utf-32-le", "surrogatepass"), np.uint32)
    rows = np.repeat(np.arange(n), [len(name) for name in names])
    places = rows * _BUCKETS + letters % _BUCKETS
    counts = np.bincount(places, minlength=n * _BUCKETS).reshape(n, _BUCKETS)
    return np.minimum(counts, 255).astype(np.uint8)
