"""Taking a model out of the plans when it fails or is suddenly slow, and trying it again later.

Each model has a circuit breaker (M. Nygard, "Release It!", 2007). It is closed while the model
serves. It is open for a while after a failure, and twice as long after each further one. Then it is
half open: one call decides.
"""

from dataclasses import dataclass

FIRST_S, LONGEST_S = 1.0, 60.0
"""Seconds out of the plans after the first failure, and at most."""
SLOW_FACTOR = 5.0
"""A model this many times slower than it usually is, while others are not, is out of order."""
SLOW_MS = 2.0
"""... if its calls take so much longer: less is what a busy machine takes of a call of some
microseconds, and what is believed of its latency says enough."""
SLOW_SECONDS = 0.5
"""... if it is so for this long: other processes may take the processor for a moment."""
FORGIVEN_AFTER_S = 60.0
"""Seconds of service after which earlier failures are forgotten."""


@dataclass
class Suspension:
    """State of one model's breaker. Times are seconds on any steady clock."""

    failures: int = 0
    until_s: float | None = None
    """Out of the plans until then; None while it serves."""
    restored_at_s: float = float("-inf")

    def is_open(self, at_s: float) -> bool:
        """Whether the model is out of the plans now."""
        return self.until_s is not None and at_s < self.until_s

    @property
    def on_trial(self) -> bool:
        """Whether the next call decides, once the time is up."""
        return self.until_s is not None

    def fail(self, at_s: float) -> None:
        """It failed: out, for twice as long as the last time."""
        if self.until_s is None and at_s - self.restored_at_s > FORGIVEN_AFTER_S:
            self.failures = 0
        self.failures += 1
        self.until_s = at_s + min(FIRST_S * 2.0 ** (self.failures - 1), LONGEST_S)

    def succeed(self, at_s: float) -> bool:
        """A call went well; True if that ends a suspension."""
        if self.until_s is None:
            return False
        self.until_s, self.restored_at_s = None, at_s
        return True

    def inherit(self, before: "Suspension") -> None:
        """Go on as another breaker of the same model stands."""
        self.failures, self.until_s = before.failures, before.until_s
        self.restored_at_s = before.restored_at_s
