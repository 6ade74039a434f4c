"""Asks workers what they are doing while an input waits too long for its answer."""

import time
from collections.abc import Callable

_LOOK_EVERY_S = 2.0
_ASK_EVERY_S = 10.0
_TOO_LONG_S = 15.0


class Vigil:
    """Call `look` often.

    Args:
        delivered: when each input was delivered, on the monotonic clock; grows at its end.
        settled: when it was answered.
        ask: makes all workers log what they are doing.
        tell: is told.
    """

    def __init__(
        self,
        delivered: dict[str, float],
        settled: dict[str, float],
        ask: Callable[[], None],
        tell: Callable[[str], None],
    ) -> None:
        self._delivered = delivered
        self._settled = settled
        self._ask = ask
        self._tell = tell
        self._look_due_s = self._ask_due_s = 0.0
        self.n_asked = 0

    def look(self) -> None:
        """Ask, if an input waits too long and nobody asked lately."""
        now_s = time.monotonic()
        if now_s < self._look_due_s:
            return
        self._look_due_s = now_s + _LOOK_EVERY_S
        waiting = self._delivered.copy()  # at once: another thread adds to it
        settled = self._settled.copy()
        first = next(((id, at_s) for id, at_s in waiting.items() if id not in settled), None)
        if first is None:
            return
        id, since_s = first
        if now_s - since_s > _TOO_LONG_S and now_s > self._ask_due_s:
            self._ask_due_s = now_s + _ASK_EVERY_S
            self.n_asked += 1
            n = len(waiting.keys() - settled.keys())
            self._tell(
                f"{n} inputs wait, {id} for {now_s - since_s:.0f} s: "
                "asked the workers what they are doing, see their logs"
            )
            self._ask()
