"""How often one may ask: a bucket of tokens each, which fills again with time."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

from ounce_services.control.errors import TooManyError

_MOST_CALLERS = 10_000


class RateLimit:
    """Bounds calls of each caller.

    Args:
        per_minute: calls that may go on for ever.
        burst: calls that may come at once.
        clock_s: monotonic.
    """

    def __init__(
        self, per_minute: float, burst: int, clock_s: Callable[[], float] = monotonic
    ) -> None:
        self._per_s = per_minute / 60
        self._burst = burst
        self._clock_s = clock_s
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, caller: str) -> None:
        """Count one call.

        Raises:
            TooManyError: there were too many.
        """
        with self._lock:
            now_s = self._clock_s()
            left = self._left(caller, now_s)
            if left < 1:
                wait_s = (1 - left) / self._per_s
                raise TooManyError(f"too many calls: wait {wait_s:.0f} s", wait_s)
            self._buckets[caller] = (left - 1, now_s)
            self._buckets.move_to_end(caller)
            while len(self._buckets) > _MOST_CALLERS:
                self._buckets.popitem(last=False)

    def _left(self, caller: str, now_s: float) -> float:
        left, at_s = self._buckets.get(caller, (float(self._burst), now_s))
        return min(self._burst, left + (now_s - at_s) * self._per_s)
