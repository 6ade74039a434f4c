"""When messages are due: a steady rate with bursts."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """A schedule in closed form: how many messages are due by a given time.

    Asking for the number due, instead of sleeping between messages, keeps the rate right whatever
    the sleeps cost: a late tick publishes what the missed ones would have.
    """

    rate_per_s: float
    """Outside of bursts."""
    burst_every_s: float = 10.0
    burst_length_s: float = 1.0
    """The last seconds of each period are the burst."""
    burst_factor: float = 1.0
    """Rate inside a burst over the rate outside; 1: no bursts."""

    def due(self, elapsed_s: float) -> int:
        """Messages due since the start."""
        periods, within_s = divmod(elapsed_s, self.burst_every_s)
        burst_s = periods * self.burst_length_s + max(0.0, within_s - self._burst_start_s)
        steady_equivalent_s = elapsed_s + (self.burst_factor - 1) * burst_s
        return math.floor(self.rate_per_s * steady_equivalent_s + 1e-9)

    def is_burst(self, elapsed_s: float) -> bool:
        """Whether a burst is on."""
        return self.burst_factor != 1 and elapsed_s % self.burst_every_s >= self._burst_start_s

    @property
    def _burst_start_s(self) -> float:
        return self.burst_every_s - self.burst_length_s
