"""What one split of one table gave, kept as it is measured: a line of JSON each."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

Limit = tuple[float, int]
"""Microseconds of a row, and rows of a call."""


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="advice"):
    """The advice for one split of one table under one limit."""

    table: str
    seed: int
    """Of the split."""
    limit: Limit
    plan: tuple[str, ...]
    accuracy: float
    """Of the plan on test rows."""
    tested: Mapping[str, float]
    """Accuracy of each model on them."""
    within: frozenset[str]
    """Models that keep the limit when they are timed anew."""
    kept: bool
    """Whether the plan does."""
    row_us: float
    """Of the plan, timed anew in calls of the limit's size; of a cascade, of both models."""
    alone_us: float
    """The same of one row alone."""
    race_s: float
    early: float
    """Points that the kind which is best on a quarter of the rows lacks on all of them."""


class Peered(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="peer"):
    """What a peer reached on the first split of one table under one limit."""

    peer: str
    table: str
    limit: Limit
    accuracy: float
    row_us: float
    """Median time of a row in calls of the limit's size, as the peer predicts."""
    alone_us: float
    """The same of one row alone."""
    seconds: float
    """That it took to search and to learn."""


class Failure(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="failure"):
    """What ended with an error. It is tried again when a run goes on."""

    who: str
    """`advice`, or a peer's name."""
    table: str
    error: str


Kept = Case | Peered | Failure


def read_kept(path: Path) -> list[Kept]:
    """What was kept; nothing where there is no file. A line that a kill cut short is left out."""
    if not path.exists():
        return []
    whole, _, _ = path.read_bytes().rpartition(b"\n")
    return [msgspec.json.decode(line, type=Kept) for line in whole.splitlines()]


def keep(path: Path, found: Sequence[Kept]) -> None:
    """Append, all in one write."""
    lines = b"".join(msgspec.json.encode(one) + b"\n" for one in found)
    with path.open("ab") as file:
        file.write(lines)
