"""How much may be stored, and what goes first where that is too little."""

from enum import StrEnum
from typing import NamedTuple

LOG_BYTES = 1_000_000
"""Of the store's log, before it is moved into the database."""


class DropFirst(StrEnum):
    """What goes where the store is full."""

    OLDEST = "oldest"
    LEAST_URGENT = "least-urgent"
    """Those with the longest deadline, or none; of these the oldest."""


class Bounds(NamedTuple):
    """How much may wait."""

    max_bytes: int
    max_age_s: float
    drop_first: DropFirst = DropFirst.OLDEST
    max_record_bytes: int = 1_000_000

    @property
    def reserve_bytes(self) -> int:
        """Room to send what is stored: for the log as it may stand on a disk that has become full,
        for moving that into the database, and for the next log."""
        return 3 * LOG_BYTES + 2 * self.max_record_bytes
