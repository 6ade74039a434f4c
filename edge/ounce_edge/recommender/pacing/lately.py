"""The least of the values that came lately."""


class LeastLately:
    """The least of the values of the last `seconds`, or up to twice that.

    Args:
        value: before anything came.
        seconds: for so long a value counts.
    """

    def __init__(self, value: float, seconds: float = 1.0) -> None:
        self._seconds = seconds
        self._young = self._old = value
        self._turned_at_s = 0.0

    def add(self, value: float, at_s: float) -> None:
        """Take note of a value, at a time on any steady clock."""
        elapsed_s = at_s - self._turned_at_s
        if elapsed_s >= self._seconds:
            self._old = self._young if elapsed_s < 2.0 * self._seconds else value
            self._young, self._turned_at_s = value, at_s
        self._young = min(self._young, value)

    @property
    def least(self) -> float:
        """It; before anything came, the value that this was made with."""
        return min(self._young, self._old)
