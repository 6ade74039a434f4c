"""How many records a poll should take."""

LEAST_POLL = 256
"""Smaller polls are dear: each has a fixed cost, and this many records take about a millisecond."""
_FIRST_GUESS_MS = 0.005


class PollSize:
    """How long a worker takes to read records, and whether it keeps up with them.

    Attributes:
        is_behind: whether the last poll gave as many records as it was allowed: more are there.
    """

    def __init__(self) -> None:
        self._ms_per_record = _FIRST_GUESS_MS
        self.is_behind = False

    def within(self, budget_ms: float) -> int:
        """About so many records are read and decoded in that time; never less than some."""
        return max(int(budget_ms / self._ms_per_record), LEAST_POLL)

    def poll_ms(self, n_records: int) -> float:
        """Predicted time to read and decode so many records."""
        return n_records * self._ms_per_record

    def polled(self, n_records: int, is_more: bool) -> None:
        """A poll gave records, and maybe there are more."""
        self.is_behind = is_more and n_records >= LEAST_POLL

    def learn(self, n_records: int, took_ms: float) -> None:
        """Some records were read and decoded: a mean that forgets, of polls large enough to
        tell."""
        if n_records >= LEAST_POLL:
            self._ms_per_record += 0.2 * (took_ms / n_records - self._ms_per_record)
