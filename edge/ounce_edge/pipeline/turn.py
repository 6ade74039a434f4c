"""What one slice of work may take, and what goes on around it."""

from typing import NamedTuple

from ounce_edge.recommender.pacing.slicing import SLICE_MS


class Turn(NamedTuple):
    """One task's slice of the worker's time."""

    slice_ms: float = SLICE_MS
    """Predicted compute after which to return, so that newer requests are seen. At least one call
    is made, here or on a lane, unless all that waits can wait for a lane."""
    reserve_ms: float = 0.0
    """Time that others will take in between; deadlines are held against it."""
    keep_free: bool = True
    """Newer requests may come meanwhile: long calls should wait for a lane, rather than be made
    here, where their deadlines allow it."""
    poll_ms: float = 0.0
    """Predicted time of the next poll, where more is there to be read. Then only what can't wait
    for that is answered, which may be nothing."""
    each_room: float = 0.0
    """Share of the room for waiting requests that each of them takes."""
