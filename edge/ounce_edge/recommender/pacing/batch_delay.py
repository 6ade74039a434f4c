"""How long a request waits for others that could share its call.

At moderate rates nearly every request finds the worker idle and would be served alone, although
serving several together takes little more than serving one. A deadline says how much of that an
answer can wait for. Delayed batching: Crankshaw et al., "Clipper: A Low-Latency Online Prediction
Serving System", NSDI 2017.
"""

import math

from ounce_edge.recommender.pacing.lately import LeastLately

DELAY_SHARE = 0.05
"""Of the tightest deadline. The decision has the rest of it, so that hardly any needs a quicker
plan for that."""
MEMORY_S = 60.0
"""So long the tightest deadline counts: rare requests that are urgent should not wait."""
LEAST_MS = 1.0
"""A shorter wait is not worth its two thread switches."""
_RATE_S = 1.0


class BatchDelay:
    """Decides on the wait, from the deadlines and the number of requests that come.

    Args:
        most_ms: longest wait, whatever deadlines allow: what a first urgent request loses.
    """

    def __init__(self, most_ms: float) -> None:
        self._most_ms = most_ms
        self._tightest_ms = LeastLately(math.inf, MEMORY_S)
        self._per_ms = 0.0
        self._n = 0
        self._since_s = -math.inf

    def polled(self, n_records: int, tightest_ms: float, at_s: float) -> None:
        """A poll gave records, maybe none.

        Args:
            n_records: how many.
            tightest_ms: the tightest deadline of the last second or two before.
            at_s: now, on any steady clock.
        """
        self._tightest_ms.add(tightest_ms, at_s)
        elapsed_s = at_s - self._since_s
        if elapsed_s >= _RATE_S:
            self._per_ms = self._n / elapsed_s / 1e3
            self._n, self._since_s = 0, at_s
        self._n += n_records

    @property
    def seconds(self) -> float:
        """How long to wait once a request has come; 0 where too few others would come meanwhile."""
        delay_ms = min(self._most_ms, DELAY_SHARE * self._tightest_ms.least)
        is_worth_it = delay_ms >= LEAST_MS and delay_ms * self._per_ms >= 1.0
        return delay_ms / 1e3 if is_worth_it else 0.0
