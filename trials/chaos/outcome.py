"""What a run is asked to do, and what came of it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import isfinite
from pathlib import Path
from signal import SIGTERM

from trials.chaos.accounting import Accounting, Finding
from trials.chaos.recovery import Recovery
from trials.chaos.schedule import Fault, Kind, make_schedule
from trials.chaos.stage import Happened
from trials.chaos.workers import Exit, supported_options


class Delivery(StrEnum):
    """The guarantee that workers are asked for."""

    EXACTLY_ONCE = "exactly-once"
    AT_LEAST_ONCE = "at-least-once"


def available_deliveries() -> list[Delivery]:
    """Those that this version of the worker has."""
    return [*Delivery] if "--delivery" in supported_options() else [Delivery.AT_LEAST_ONCE]


@dataclass(frozen=True)
class Plan:
    """What a run does."""

    seed: int
    n_faults: int
    delivery: Delivery
    models: Path
    rate_per_s: float = 200.0
    gap_s: float = 2.5
    partitions: int = 6
    kinds: tuple[Kind, ...] = tuple(Kind)
    session_s: float = 3.0

    @property
    def are_named(self) -> bool:
        """Whether workers have stable names."""
        return self.delivery is Delivery.EXACTLY_ONCE

    def schedule(self, session_s: float) -> list[Fault]:
        """The same for the same plan and session."""
        return make_schedule(
            self.seed, self.n_faults, gap_s=self.gap_s, session_s=session_s, kinds=self.kinds
        )


@dataclass(frozen=True)
class KindOutcome:
    """What came of the faults of a kind."""

    n: int
    recovery_s: list[float]
    """Of each, ascending: from its end until all inputs that it held up were answered."""
    longest_wait_s: float
    """Of an input that was sent during one of them, or up to its recovery."""


@dataclass
class Outcome:
    """What came of a run."""

    plan: Plan
    session_s: float
    faults: list[Fault]
    lasted_s: float = 0.0
    accounting: Accounting = field(default_factory=Accounting)
    by_kind: dict[Kind, KindOutcome] = field(default_factory=dict)
    missed: list[Fault] = field(default_factory=list)
    exits: list[Exit] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    """What was strange, and breaks no promise."""
    problems: list[str] = field(default_factory=list)
    """What broke a promise beside the accounts: inputs that never settled, a worker that hung."""

    @property
    def violations(self) -> list[Finding]:
        """Findings that break the guarantee."""
        repeats_allowed = self.plan.delivery is Delivery.AT_LEAST_ONCE
        return self.accounting.violations(repeats_allowed=repeats_allowed)

    @property
    def is_good(self) -> bool:
        """Whether the guarantee held."""
        return not self.violations and not self.problems

    def surprising_exits(self) -> Counter[str]:
        """Exits that nobody asked for, and of those asked by SIGTERM the unclean ones. Before it
        serves, SIGTERM ends a worker at once."""
        found: Counter[str] = Counter()
        for exit in self.exits:
            if exit.asked == "forced":
                found["SIGTERM did not end it"] += 1
            elif not exit.asked or (exit.asked == "term" and exit.code not in (0, -SIGTERM)):
                found[f"code {exit.code}: {exit.last_line.partition(': ')[2][-160:]}"] += 1
        return found


def outcomes_by_kind(
    happened: Sequence[Happened], recovery: Recovery, shows_s: float
) -> dict[Kind, KindOutcome]:
    """What came of the faults of each kind.

    Args:
        happened: all faults.
        recovery: when inputs were sent and answered.
        shows_s: a fault's effect shows within so long after its end.
    """
    found: dict[Kind, KindOutcome] = {}
    for kind in Kind:
        of_kind = [h for h in happened if h.fault.kind is kind and h.ended_s is not None]
        if not of_kind:
            continue
        took = [recovery.after(h.ended_s or 0.0, shows_s) for h in of_kind]
        waits = [
            recovery.longest_wait(h.began_s, (h.ended_s or 0.0) + (s if isfinite(s) else 0.0))
            for h, s in zip(of_kind, took, strict=True)
        ]
        found[kind] = KindOutcome(len(of_kind), sorted(took), max(waits))
    return found
