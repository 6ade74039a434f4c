"""What another policy would change."""

from dataclasses import dataclass, field
from typing import NamedTuple

from ounce_edge.dry_run.figures import Figures

MOST_CHANGES = 50


class Change(NamedTuple):
    """One message that another plan would answer."""

    weight: float
    """How much changes: a target that is kept instead of missed counts 1, as does one that is
    missed instead of kept; accuracy its difference."""
    order: int
    """Of equal ones, the first message counts."""
    id: str
    device: str
    before: str
    """Plan, or `refused`."""
    after: str
    what: str
    """What changes by that, in words."""


@dataclass
class Foresight:
    """What a policy would change for the messages of one task."""

    before: Figures = field(default_factory=Figures)
    after: Figures = field(default_factory=Figures)
    n_changed: int = 0
    """Messages that another plan would answer, or that would be refused, or not."""
    n_decisions: int = 0
    changes: list[Change] = field(default_factory=list)
    """Those that change most, the greatest first."""
    versions: dict[str, int] = field(default_factory=dict)
    """Messages by the version of the policy that they were answered under."""
