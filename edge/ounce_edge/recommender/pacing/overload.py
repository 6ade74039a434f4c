"""Whether an overload lasts.

`crowding` lets messages give way one by one. That makes room for what waits, and foresees nothing
of what comes. Where more keeps coming than can be answered as asked, late messages pile up until
they fill all the room. Then nothing newer is read before it is late as well. So while late messages
have piled up for some time, all that comes has to make do with less.
"""

import numpy as np
from numpy.typing import NDArray

PILE = 1.0 / 16.0
"""Share of the room for waiting messages: late ones that take more of it have piled up. They are
gone when they take less than half of that."""
LASTS_S = 0.1
"""So long they have to; most bursts are over by then."""


class Overload:
    """Watches late messages pile up.

    Attributes:
        lasts: whether they have for a while.
    """

    def __init__(self) -> None:
        self.lasts = False
        self._begun_s: float | None = None

    def look(self, remaining_ms: NDArray[np.float64], each_room: float, at_s: float) -> bool:
        """Whether an overload lasts.

        Args:
            remaining_ms: time left of all that waits, milliseconds, negative when late; shape (n,).
            each_room: share of the room for waiting messages that each of them takes.
            at_s: now, on any steady clock.
        """
        piled_up = PILE / 2.0 if self.lasts else PILE
        # Mostly so little waits that it is none, however much of it is late.
        if (
            len(remaining_ms) * each_room < piled_up
            or np.count_nonzero(remaining_ms < 0.0) * each_room < piled_up
        ):
            self._begun_s, self.lasts = None, False
        else:
            if self._begun_s is None:
                self._begun_s = at_s
            self.lasts = at_s - self._begun_s >= LASTS_S
        return self.lasts
