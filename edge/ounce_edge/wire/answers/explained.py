"""What each input contributed to the answers of a group, as answers hold it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ounce_edge.wire.answers.significant import significant

MOST_WORDS = 16
"""Of a text, those that contributed most; all others count as one."""
OTHER_WORDS = "other words"
_WORD = re.compile(r"\S{1,24}")
"""Scripts without blanks, and long numbers, are cut: a part is to be read at one look."""
_DIGITS = 8


class TextColumn(NamedTuple):
    """A text whose contributions are those of its bytes."""

    texts: Sequence[str]
    """Of each item of the group."""
    size_bytes: int
    """That the graph reads."""


@dataclass(frozen=True)
class ExplainedGroup:
    """What each input contributed to the answers of a group."""

    method: str
    """A value of `explanation.Method`."""
    score: str
    """What base and contributions add up to: a value of `explanation.Score`."""
    names: Sequence[str]
    """Of the inputs."""
    values: NDArray[np.float32]
    """Base and contributions, shape (n, 1 + width): one for each input, of a text one for each of
    its bytes."""
    texts: Mapping[str, TextColumn] = field(default_factory=dict)
    """Of the inputs, those."""

    @property
    def base(self) -> NDArray[np.float32]:
        """Shape (n,)."""
        return self.values[:, 0]

    def rows(self) -> Iterator[tuple[Sequence[str], Sequence[float]]]:
        """Names and contributions of each item. A text has those of its words."""
        contributions = self.values[:, 1:]
        if not self.texts:
            for row in significant(contributions, 0.0, _DIGITS).tolist():
                yield self.names, row
            return
        for i, row in enumerate(contributions):
            names, found, start = list[str](), list[float](), 0
            for name in self.names:
                column = self.texts.get(name)
                if column is None:
                    names.append(name)
                    found.append(float(row[start]))
                    start += 1
                    continue
                of_bytes = row[start : start + column.size_bytes]
                start += column.size_bytes
                words = by_word(column.texts[i], of_bytes)
                prefix = "" if len(self.names) == 1 else f"{name}: "
                names += [f"{prefix}{word}" for word in words]
                found += words.values()
            yield names, significant(np.array([found]), 0.0, _DIGITS)[0].tolist()


def by_word(text: str, contributions: NDArray[np.floating[Any]]) -> dict[str, float]:
    """Contributions of a text's words, in its order; equal words count together.

    A blank belongs to the word behind it. What stands behind the last word belongs to that one.

    Args:
        text: as it came.
        contributions: of the bytes that graphs read of it, as `encode_texts` makes them.
    """
    size = len(contributions)
    read = text.strip()[:size].encode("utf-8", "replace")[:size].decode("utf-8", "ignore")
    exact = contributions.astype(np.float64)
    words = list(_WORD.finditer(read))
    if not words:
        return {OTHER_WORDS: float(exact.sum())} if exact.any() else {}
    found = dict[str, float]()
    start = end = 0
    for place, word in enumerate(words):
        before = words[place - 1].end() if place else 0
        end += len(read[before : word.end()].encode())
        last = place == len(words) - 1
        own = float(exact[start:].sum() if last else exact[start:end].sum())
        found[word.group()] = found.get(word.group(), 0.0) + own
        start = end
    if len(found) <= MOST_WORDS:
        return found
    by_size = sorted(found, key=lambda word: -abs(found[word]))
    kept = set(by_size[:MOST_WORDS])
    rest = sum(found[word] for word in by_size[MOST_WORDS:])
    return {word: value for word, value in found.items() if word in kept} | {OTHER_WORDS: rest}
