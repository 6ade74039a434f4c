"""Which polls are answered in full, and so which offsets may be committed."""

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass


@dataclass
class Poll:
    """One task's records of one poll; answered in full when `open` is 0."""

    next_offsets: Mapping[int, int]
    """By partition, the offset behind its last record."""
    open: int
    """Without an answer or dead letter: records, and rows of messages that have several."""
    decoded_s: tuple[float, float] = (0.0, 0.0)
    """When decoding began and ended, on the pipeline's steady clock."""

    def end_one(self) -> None:
        """One of them has come to its end."""
        self.open -= 1


class Progress:
    """Which offsets may be committed: those of polls that are answered in full, as all before are.

    Requests are answered in the order of their deadlines, not of their offsets; a commit covers
    everything before it, so it waits for the oldest.
    """

    def __init__(self) -> None:
        self._polls: deque[Poll] = deque()
        self._newest: dict[int, int] = {}
        """By partition, the offset behind the last record that was taken."""

    def begin(self, next_offsets: Mapping[int, int], n_open: int) -> Poll:
        """A poll's records are taken."""
        poll = Poll(next_offsets, n_open)
        self._polls.append(poll)
        self._newest.update(next_offsets)
        return poll

    def reach_end(self, partition: int, offset: int) -> None:
        """All that can be read of the partition is taken, up to this offset. What lies behind the
        last record, as markers of transactions, needs no answer."""
        if offset > self._newest.get(partition, -1):
            self.begin({partition: offset}, 0)

    def disown(self, partitions: Collection[int]) -> None:
        """Others own these partitions now, and commit their offsets."""
        for partition in partitions:
            self._newest.pop(partition, None)
        for poll in self._polls:
            poll.next_offsets = {p: o for p, o in poll.next_offsets.items() if p not in partitions}

    def advance(self) -> dict[int, int]:
        """By partition, the offset that a successor goes on at; each is given once."""
        done: dict[int, int] = {}
        while self._polls and not self._polls[0].open:
            done.update(self._polls.popleft().next_offsets)
        return done
