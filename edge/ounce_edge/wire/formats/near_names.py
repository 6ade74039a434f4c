"""Names that are nearly those of columns, as misspelt ones are. Whatever the names are, to look for
them takes some milliseconds at most: senders choose them.

Two names are nearly the same where most letters stand in one order, or where they differ by one
slip. Few people mistype a first letter, and other numbers and axes mean other things: `heat` is no
`wheat`, `sensor_3` no `sensor_2`, `acc_y` no `acc_x`.
"""

import re
from collections.abc import Callable, Collection, Sequence

import numpy as np
from numpy.typing import NDArray

_ALIKE = 0.85
"""So alike is a misspelt name, and few names that mean something else."""
_LEAST_LETTERS = 4
"""Of names that a slip makes: many shorter words differ by one letter."""
_LEAST_SWAPPED = 3
"""Letters of a name of which two have changed places."""
_MOST_NAMES = 100
_MOST_LETTERS = 100
_MOST_PAIRS = 20_000
"""Pairs of a name and a column whose letters are counted: about 0.1 us each."""
_MOST_COMPARED = 40
"""Pairs of nearly the same letters whose order is compared: some 20 us each. Only names that are
made for it have more without one that is alike."""
_BUCKETS = 128
_AXIS = re.compile(r"[ _.-]([^\W\d_])$|[a-z]([A-Z])$")
"""A last letter that stands alone, as in `acc_x` and `accX`."""


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
        self._numbers = [_numbers(name) for name in self._folded]
        self._axes = [_axis(name) for name in columns]
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
        # No name is more alike than its letters in any order are, and a slip changes one of them.
        common = np.minimum(_count(words)[:, None], self._counts[rows]).sum(axis=2, dtype=np.int32)
        sizes, own = self._sizes[rows], np.array([[len(word)] for word in words])
        most, left = 2.0 * common / np.maximum(sizes + own, 1), _MOST_COMPARED
        may_be = (most >= _ALIKE) | (common >= np.maximum(sizes, own) - 1)
        for i in np.flatnonzero(may_be.any(axis=1)).tolist():
            if not left:
                break
            may_mean = self._meaning(words[i], _axis(names[i]))
            likely = np.array([k for k in np.flatnonzero(may_be[i]) if may_mean(rows[k])], np.intp)
            some = likely[np.argsort(-most[i, likely], kind="stable")][:left]
            found = self._most_alike(words[i], rows[some])
            if found is not None:
                return names[i], found
            left -= len(some)
        return None

    def _meaning(self, word: str, axis: str) -> Callable[[int], bool]:
        """Whether a column begins as a name does, and has no other numbers and no other axis."""
        first, swapped, numbers = word[:1], word[1::-1], _numbers(word)

        def may_mean(column: int) -> bool:
            other = self._folded[column]
            is_other = axis and self._axes[column] and axis != self._axes[column]
            begins = other[:1] == first or other[:2] == swapped
            return begins and not is_other and self._numbers[column] == numbers

        return may_mean

    def _most_alike(self, word: str, columns: NDArray[np.intp]) -> str | None:
        best, found = 0.0, None
        for i in columns.tolist():
            other = self._folded[i]
            ratio = _alike(word, other)
            if ratio > best and (ratio >= _ALIKE or _differ_by_a_slip(word, other)):
                best, found = ratio, self._columns[i]
        return found


def _numbers(word: str) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", word)]


def _axis(name: str) -> str:
    found = _AXIS.search(name)
    return "" if found is None else found[found.lastindex or 0].casefold()


def _differ_by_a_slip(one: str, other: str) -> bool:
    """Whether one letter is missing, too many or wrong, or two neighbours have changed places."""
    least, at = min(len(one), len(other)), 0
    while at < least and one[at] == other[at]:
        at += 1
    rest, others = one[at:], other[at:]
    if len(rest) > 1 and rest[:2] == others[1::-1] and rest[2:] == others[2:]:
        return least >= _LEAST_SWAPPED
    is_one = rest[1:] == others[1:] or rest[1:] == others or rest == others[1:]
    return is_one and least >= _LEAST_LETTERS


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
