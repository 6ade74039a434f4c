"""What was to be reached, and whether it was."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.routing.equal_accuracy import Comparison
from benchmarks.routing.matrix import Cell
from benchmarks.routing.real import Check
from benchmarks.routing.rules import FIXED, ORACLE, OURS
from benchmarks.routing.scores import Score

LEAST_NOISE = 0.002
"""Shares that differ by less count as equal, whatever the seeds say."""
COMPUTE_NOISE = 0.05
"""Computes that differ by less than this share count as equal."""


@dataclass(frozen=True)
class Verdict:
    """One line of what was to be reached."""

    what: str
    reached: bool | None
    """None: not measured."""
    found: str


@dataclass(frozen=True)
class Behind:
    """A cell in which another rule is better than ours."""

    task: str
    kind: str
    rule: str
    dominated: bool
    """It is behind in nothing that ours is ahead in."""
    text: str


@dataclass(frozen=True)
class Figure:
    """Mean over the seeds, and twice its standard error."""

    mean: float
    noise: float


def figure(cells: Sequence[Cell], name: str) -> Figure:
    """One figure of a score, over the seeds."""
    values = np.array([getattr(cell.score, name) for cell in cells], dtype=float)
    several = len(values) > 1 and np.isfinite(values).all()
    error = values.std(ddof=1) / np.sqrt(len(values)) if several else 0.0
    return Figure(float(values.mean()), 2.0 * float(error))


def by_run(cells: Sequence[Cell]) -> dict[tuple[str, str, str], list[Cell]]:
    """Cells by task, workload and rule."""
    found: dict[tuple[str, str, str], list[Cell]] = {}
    for cell in cells:
        found.setdefault((cell.task, cell.kind, cell.rule), []).append(cell)
    return found


def compare_rules(cells: Sequence[Cell]) -> list[Behind]:
    """Every cell in which another rule, the oracle apart, is better by more than the noise: in the
    share on time, in the share served as asked, or, where it is as good in both, in compute."""
    runs = by_run(cells)
    found = []
    for (task, kind, rule), theirs in runs.items():
        if rule in (OURS, ORACLE):
            continue
        ours = runs[task, kind, OURS]
        ahead, behind, words = [], [], []
        for name, label in (("on_time_feasible", "on time"), ("as_asked", "as asked")):
            a, b = figure(ours, name), figure(theirs, name)
            noise = max(LEAST_NOISE, a.noise + b.noise)
            if b.mean > a.mean + noise:
                behind.append(name)
            elif a.mean > b.mean + noise:
                ahead.append(name)
            words.append(f"{label} {b.mean:.2%} to {a.mean:.2%}")
        if not ahead and not behind:
            a, b = figure(ours, "compute_us"), figure(theirs, "compute_us")
            if b.mean + b.noise < (a.mean - a.noise) * (1.0 - COMPUTE_NOISE):
                behind.append("compute_us")
                words.append(f"compute {b.mean:.2f} to {a.mean:.2f} us")
        if behind:
            found.append(Behind(task, kind, rule, not ahead, ", ".join(words)))
    return found


def verdicts(
    cells: Sequence[Cell],
    comparisons: Sequence[Comparison],
    deciding_us: Mapping[str, float],
    check: Check | None,
) -> list[Verdict]:
    """Hold all figures against what was to be reached."""
    found = []
    for c in comparisons:
        for label, other, least in (
            ("always-best", c.best, 5.0),
            ("cheapest single", c.single, 2.0),
        ):
            ratio = other.batched_us / c.ours.batched_us
            found.append(
                Verdict(
                    f"{c.task}: {least:g} times less compute than {label} at equal accuracy",
                    ratio >= least and c.is_equal,
                    f"{ratio:.1f} times batched, {other.alone_us / c.ours.alone_us:.1f} alone; "
                    f"test accuracy {c.ours.test_accuracy:.4f} to {other.test_accuracy:.4f}; "
                    f"less always-best {c.on_fresh or c.on_test}",
                )
            )
    runs = by_run(cells)
    tasks = list(dict.fromkeys(cell.task for cell in cells))
    for kind in ("steady", "Poisson", "burst"):
        shares = {t: figure(runs[t, kind, OURS], "on_time_feasible").mean for t in tasks}
        found.append(
            Verdict(
                f"{kind}: 99.9% of feasible messages on time",
                min(shares.values()) >= 0.999,
                ", ".join(f"{t} {share:.2%}" for t, share in shares.items()),
            )
        )
    for kind in ("burst", "slowed", "ramp"):
        ratios = {}
        for t in tasks:
            theirs, ours = (figure(runs[t, kind, r], "misses").mean for r in (FIXED, OURS))
            ratios[t] = theirs / max(ours, 1.0)
        found.append(
            Verdict(
                f"{kind}: 10 times fewer misses than best-fixed",
                min(ratios.values()) >= 10.0,
                ", ".join(f"{t} {ratio:.1f}" for t, ratio in ratios.items()),
            )
        )
    behind = compare_rules(cells)
    dominated = [b for b in behind if b.dominated]
    found.append(
        Verdict(
            "not behind another rule in any cell by more than the noise",
            not behind,
            f"behind in some figure in {len(behind)} cells, in {len(dominated)} of them ahead in "
            "none",
        )
    )
    found.append(
        Verdict(
            "deciding takes under 2 us per message, batches of 100",
            max(deciding_us.values()) < 2.0,
            ", ".join(f"{name} {us:.2f}" for name, us in deciding_us.items()),
        )
    )
    found.append(
        Verdict(
            "deciding takes under 1% of the worker's time",
            None if check is None else check.decision_share < 0.01,
            "no Kafka here"
            if check is None
            else f"{check.decision_share:.1%}: {check.decision_us:.1f} of "
            f"{check.processor_us:.0f} us per message at {check.rate:,.0f}/s",
        )
    )
    return found


def floors(cells: Sequence[Cell]) -> dict[float, float]:
    """Accuracy per floor, mean over the seeds."""
    scores: list[Score] = [cell.score for cell in cells]
    return {f: float(np.mean([s.by_floor[f] for s in scores])) for f in scores[0].by_floor}
