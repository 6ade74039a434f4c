"""Which messages would hold up the others on the line to Kafka, since they are large. Pure.

Such a message goes by the store, which sends it beside what is live, with the time that it needs.
"""

SMALL_BYTES = 40_000
"""Of what always goes at once; as much goes together (`Line`)."""


class LineSpeed:
    """What the line has been seen to carry; at first it is taken for quick.

    Args:
        patience_s: how long a message may hold up the others.
    """

    def __init__(self, patience_s: float = 1.0) -> None:
        self._patience_s = patience_s
        self.most_bytes = float("inf")
        """Of what would hold up nothing."""

    def is_too_large(self, n_bytes: int) -> bool:
        """Whether a message of this size would hold up the others."""
        return n_bytes > max(SMALL_BYTES, self.most_bytes)

    def needs_s(self, n_bytes: int) -> float:
        """How long so many bytes have the line for themselves."""
        return n_bytes / self.most_bytes * self._patience_s

    def held_up(self, n_bytes: int, took_s: float) -> None:
        """Learn from a live message that was alone on the line for so long, or longer."""
        if n_bytes > SMALL_BYTES and took_s > self._patience_s:
            self.most_bytes = n_bytes / took_s * self._patience_s

    def carried(self, n_bytes: int, took_s: float) -> None:
        """Learn from stored messages: a line that has become quicker is used again. A few small
        ones pass any line soon."""
        if n_bytes > SMALL_BYTES:
            self.most_bytes = max(self.most_bytes, n_bytes / max(took_s, 1e-3) * self._patience_s)
