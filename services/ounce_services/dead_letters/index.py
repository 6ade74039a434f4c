"""What a dead-letters topic holds, in few bytes per letter: a broken fleet makes millions."""

from array import array
from collections import defaultdict
from collections.abc import Set
from typing import NamedTuple

from ounce_services.dead_letters.letter import DeadLetter, Mark, Position


class Count(NamedTuple):
    """Dead letters of one reason."""

    total: int
    replayed: int


class Index:
    """Where the dead letters of each reason are, and which of them were sent back."""

    def __init__(self) -> None:
        self.foreign = 0
        """Records that are neither dead letters nor marks."""
        self._offsets: defaultdict[tuple[str, int], array[int]] = defaultdict(lambda: array("q"))
        self._replayed: dict[Position, int] = {}

    def add(self, found: DeadLetter | Mark | None) -> None:
        """Take in what a record is; None: foreign."""
        if found is None:
            self.foreign += 1
        elif isinstance(found, Mark):
            self._replayed[found.position] = found.at_ms
        else:
            partition, offset = found.record.position
            self._offsets[found.reason, partition].append(offset)

    def replayed_at_ms(self, position: Position) -> int | None:
        """When a dead letter was last sent back, since 1970; None if it never was."""
        return self._replayed.get(position)

    def counts(self) -> dict[str, Count]:
        """By reason, the most frequent first."""
        counts: dict[str, Count] = {}
        for (reason, partition), offsets in self._offsets.items():
            replayed = sum(Position(partition, offset) in self._replayed for offset in offsets)
            total, before = counts.get(reason, Count(0, 0))
            counts[reason] = Count(total + len(offsets), before + replayed)
        return dict(sorted(counts.items(), key=lambda item: (-item[1].total, item[0])))

    def offsets(self, *, replayed: bool) -> dict[int, Set[int]]:
        """By partition, the offsets that count.

        Args:
            replayed: whether those are among them that were sent back already.
        """
        found: defaultdict[int, set[int]] = defaultdict(set)
        for (_, partition), offsets in self._offsets.items():
            found[partition].update(
                offset
                for offset in offsets
                if replayed or Position(partition, offset) not in self._replayed
            )
        return {partition: offsets for partition, offsets in found.items() if offsets}
