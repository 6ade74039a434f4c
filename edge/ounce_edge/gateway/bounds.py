"""How much may be stored, and what goes first where that is too little."""

from enum import StrEnum
from typing import NamedTuple


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
