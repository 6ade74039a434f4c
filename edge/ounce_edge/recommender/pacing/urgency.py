"""What is answered before more is read, where more is there than one poll takes.

To read and decode a message takes about as long as to answer it, and who reads does not answer. A
worker that first reads all of a burst lets the tightest deadlines pass. A worker that first answers
all that it has read finds the next ones too late. So it reads in small polls. Between two of them
it answers only what can't wait for a few more.
"""

import numpy as np

from ounce_edge.recommender.arrays import Floats, Items
from ounce_edge.recommender.beliefs.view import View

POLLS_AHEAD = 3.0
"""What has less time left than so many polls take can't wait."""


def before_reading(view: View, remaining_ms: Floats, poll_ms: float) -> Items:
    """Messages to decide on before the next poll: none that is late, since that can wait, and none
    that has plenty of time.

    Args:
        view: what is believed of the plans.
        remaining_ms: time left per message, milliseconds, negative when late; shape (n,).
        poll_ms: predicted time to read and decode the next poll.

    Returns:
        Their indices, ascending; maybe none.
    """
    can_be_in_time = remaining_ms >= view.fastest_alone_ms
    return np.flatnonzero(can_be_in_time & (remaining_ms < POLLS_AHEAD * poll_ms))
