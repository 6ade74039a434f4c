"""Names that are nearly those of columns, as misspelt ones are. Whatever the names are, to look for
them takes some tens of milliseconds at most: senders choose them."""

import difflib
import re
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

_ALIKE = 0.85
"""So alike is a misspelt name, and few names that mean something else."""
_MOST_NAMES = 100
_MOST_LETTERS = 100
_MOST_PAIRS = 100_000
"""Pairs of a name and a column whose letters are counted: about 0.1 us each."""
_MOST_COMPARED = 20
"""Pairs of the same letters that are compared in full: half a millisecond each, and two or three
where the letters are few. Only names that are made for it have more without one that is alike."""
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
        self._counts = np.array([_count(name) for name in self._folded], np.uint8)

    def find(self, names: Sequence[str], absent: Collection[str]) -> tuple[str, str] | None:
        """A name that is nearly that of an absent column, and that column.

        Args:
            names: that are no column's.
            absent: columns that are not among a row's names.
        """
        rows = np.array([i for i, name in enumerate(self._columns) if name in absent], np.intp)
        if not len(rows):
            return None
        left, counts, sizes = _MOST_COMPARED, self._counts[rows], self._sizes[rows]
        for name in names[: min(_MOST_NAMES, max(_MOST_PAIRS // len(rows), 1))]:
            word = fold(name[:_MOST_LETTERS])[:_MOST_LETTERS]  # folded, some letters are three
            # No name is more alike than its letters in any order are.
            common = np.minimum(counts, _count(word)).sum(axis=1, dtype=np.intp)
            most = 2.0 * common / np.maximum(sizes + len(word), 1)
            likely = np.flatnonzero(most >= _ALIKE)
            some = likely[np.argsort(-most[likely], kind="stable")][:left]
            if not len(some):
                continue
            found = self._most_alike(word, rows[some])
            if found is not None:
                return name, found
            left -= len(some)
        return None

    def _most_alike(self, word: str, columns: NDArray[np.intp]) -> str | None:
        matcher = difflib.SequenceMatcher(b=word)
        best, found = _ALIKE, None
        for i in columns.tolist():
            matcher.set_seq1(self._folded[i])
            ratio = matcher.ratio()
            if ratio >= best and (found is None or ratio > best):
                best, found = ratio, self._columns[i]
        return found


def _count(name: str) -> NDArray[np.uint8]:
    """How often each letter stands in a folded name, array of shape (128,); rare ones share
    places."""
    letters = np.frombuffer(name.encode("utf-32-le", "surrogatepass"), np.uint32) % _BUCKETS
    return np.minimum(np.bincount(letters, minlength=_BUCKETS), 255).astype(np.uint8)
