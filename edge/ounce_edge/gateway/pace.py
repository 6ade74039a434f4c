"""How many stored records go at once, so that what is live beside them stays in time. Pure.

Readers of committed records stop at an open transaction: a live message behind it waits as long as
it lasts. And a broker that has just come back is slow. So the pace begins low, doubles while
transactions and confirmations are short, and halves where they are not.

A transaction has to end in time, also on a line of some kilobytes a second. So fewer records go
together after one that failed or took long, and more again after short ones. A large record that
fails alone gets more time.
"""

TICK_S = 0.1
"""Between two batches."""
_HELD_S = 0.05
"""So long the records of a batch may hold up a live message."""
_LEAST_SHARE = 0.1
"""Of the greatest pace: a backlog ends, also where a broker is slow for good."""
_SLOWEST_BYTES_PER_S = 4000.0
"""Of a line: a record gets no more time than it needs on this one."""
_MOST_MORE_S = 600.0
"""Brokers permit transactions of 900 s, unless their `transaction.max.timeout.ms` says less."""
_SLOWER = 1.1
"""The shortest transaction is forgotten by a tenth with each further one."""


class Pace:
    """Says when the next stored records may go, and how many.

    Args:
        per_s: most records a second.
        timeout_s: of a transaction.
    """

    def __init__(self, per_s: float, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self.more_s = 0.0
        """What the next transaction gets beyond that; whole seconds."""
        self._most_more_s = _MOST_MORE_S
        self.limit = self.most = max(round(per_s * TICK_S), 1)
        """Records of one batch: as set, and what the line carries in time."""
        self._least = max(round(self.limit * _LEAST_SHARE), 1)
        self._n = self._least
        self._shortest_s = float("inf")
        self._next_s = float("-inf")

    def due(self, now_s: float) -> int:
        """How many may go at a time; 0 before the next ones may."""
        return min(self._n, self.most) if now_s >= self._next_s else 0

    def wait_s(self, now_s: float) -> float:
        """From a time until the next ones may go."""
        return max(self._next_s - now_s, 0.0)

    def went(self, began_s: float, ended_s: float, held_s: float) -> None:
        """Learn from a batch.

        Args:
            began_s: when it began.
            ended_s: when Kafka had it.
            held_s: the longest that a live message waited for Kafka meanwhile.
        """
        took_s = ended_s - began_s
        self._shortest_s = min(took_s, self._shortest_s * _SLOWER)
        # What even the shortest takes is not of the records, and fewer of them do not help.
        if max(took_s - self._shortest_s, held_s) > _HELD_S:
            self._n = max(self._n // 2, self._least)
        else:
            self._n = min(self._n * 2, self.limit)
        self._next_s = max(began_s + TICK_S, ended_s + took_s)

    def carried(self, n: int, n_bytes: int, took_s: float) -> None:
        """Learn from a transaction that Kafka has.

        Args:
            n: records in it.
            n_bytes: their size.
            took_s: how long it was open.
        """
        share = took_s / (self._timeout_s + self.more_s)
        if share > 0.75:
            self.failed(n, n_bytes)
        elif share < 0.25:
            self.most = min(2 * self.most, self.limit)
            self.more_s //= 2
        elif share < 0.5:
            self.most = min(self.most + self.most // 10 + 1, self.limit)

    def failed(self, n: int, n_bytes: int) -> None:
        """So many were not taken together: the next time half of them go, and one that was alone
        gets more time, as its size may need. Others share the line: if it fails again, twice as
        much."""
        self.most = max(min(n // 2, self.most), 1)
        if n == 1:
            needed_s = n_bytes // _SLOWEST_BYTES_PER_S
            again_s = 2 * self.more_s if needed_s else 0
            self.more_s = min(max(needed_s, again_s), _MOST_MORE_S)
            self._most_more_s = _MOST_MORE_S  # Kafka may have refused for another reason

    def lengthen(self, needed_s: float) -> bool:
        """Whether the next transaction gets more time than this one, for a record that needs so
        long where it has the line for itself."""
        more_s = min(3 * needed_s // 1, self._most_more_s)
        if needed_s <= self._timeout_s or more_s <= self.more_s:
            return False
        self.more_s = more_s
        return True

    def refused(self) -> None:
        """Kafka takes no transactions; where they would be too long for it, shorter ones go."""
        if self.more_s:
            self.more_s = self._most_more_s = self.more_s // 2

    def start_over(self) -> None:
        """The line was down: nothing is known of it."""
        self._most_more_s = _MOST_MORE_S
        self._n, self._shortest_s = self._least, float("inf")
