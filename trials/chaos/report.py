"""What a run is said to have shown, for people and as JSON."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

from benchmarks.results import Cell, Table
from trials.chaos.accounting import Wrong
from trials.chaos.outcome import Outcome
from trials.chaos.schedule import Kind

_SHOWN = 20


def summary(outcome: Outcome) -> str:
    """One line."""
    accounts, plan = outcome.accounting, outcome.plan
    n_faults = sum(of_kind.n for of_kind in outcome.by_kind.values())
    return (
        f"seed {plan.seed}  {plan.delivery}  faults {n_faults}  inputs {accounts.n_inputs:,} "
        f"(corrupt {accounts.n_corrupt:,})  lost {accounts.count(Wrong.LOST)}  "
        f"repeated {accounts.count(Wrong.REPEATED)}  wrong {accounts.count(Wrong.WRONG)}  "
        f"orphans {accounts.count(Wrong.ORPHAN)}  left {accounts.count(Wrong.LEFT)}  "
        f"{outcome.lasted_s:.0f} s  {'held' if outcome.is_good else 'BROKEN'}"
    )


def kinds_table(outcomes: Sequence[Outcome]) -> Table:
    """Faults by kind and recovery, over all runs."""
    rows: list[list[Cell]] = []
    for kind in Kind:
        found = [o.by_kind[kind] for o in outcomes if kind in o.by_kind]
        if not found:
            continue
        took = sorted(s for of_run in found for s in of_run.recovery_s)
        longest = max(of_run.longest_wait_s for of_run in found)
        figures = (took[len(took) // 2], took[-1], longest)
        rows.append([str(kind), len(took), *(f"{figure:.1f}" for figure in figures)])
    columns = [
        "fault", "count", "recovery, median, s", "recovery, longest, s",
        "longest wait of an input, s",
    ]  # fmt: skip
    note = "Recovery: from a fault's end until all inputs that it held up were answered."
    return Table(columns, rows, note)


def totals_table(outcomes: Sequence[Outcome]) -> Table:
    """By guarantee, over all runs."""
    rows: list[list[Cell]] = []
    for delivery in dict.fromkeys(o.plan.delivery for o in outcomes):
        of_it = [o for o in outcomes if o.plan.delivery is delivery]
        accounts = [o.accounting for o in of_it]
        seeds = [o.plan.seed for o in of_it]
        rows.append(
            [
                str(delivery),
                f"{min(seeds)} to {max(seeds)}" if len(seeds) > 1 else str(seeds[0]),
                sum(k.n for o in of_it for k in o.by_kind.values()),
                f"{sum(a.n_inputs for a in accounts):,} ({sum(a.n_corrupt for a in accounts):,})",
                *(
                    sum(a.count(what) for a in accounts)
                    for what in (Wrong.LOST, Wrong.REPEATED, Wrong.WRONG, Wrong.ORPHAN)
                ),
            ]
        )
    columns = [
        "delivery", "seeds", "faults", "inputs (corrupt)", "lost", "repeated", "wrong",
        "without an input",
    ]  # fmt: skip
    return Table(columns, rows, "Repeated answers have the `ce_id` of the first one.")


def complaints(outcome: Outcome) -> Iterable[str]:
    """What was not as promised, and what was strange."""
    for problem in outcome.problems:
        yield f"PROBLEM: {problem}"
    violations = outcome.violations
    for finding in violations[:_SHOWN]:
        places = " ".join(f"{p}:{o}" for p, o in finding.positions)
        yield f"{finding.what.upper()}: {finding.id} at {places or '-'}: {finding.detail}"
    if len(violations) > _SHOWN:
        yield f"and {len(violations) - _SHOWN} more of these"
    yield from outcome.remarks
    for text, n in outcome.surprising_exits().most_common():
        yield f"a worker ended unasked, or not in order, {n} times: {text}"
    if outcome.missed:
        kinds = Counter(str(fault.kind) for fault in outcome.missed)
        yield f"faults that nobody was there for: {dict(kinds)}"


def write(outcome: Outcome, path: Path) -> None:
    """As JSON."""
    plan, accounts = outcome.plan, outcome.accounting
    document: dict[str, Any] = {
        "seed": plan.seed,
        "delivery": plan.delivery,
        "held": outcome.is_good,
        "rate_per_s": plan.rate_per_s,
        "gap_s": plan.gap_s,
        "session_s": outcome.session_s,
        "partitions": plan.partitions,
        "lasted_s": round(outcome.lasted_s, 3),
        "inputs": accounts.n_inputs,
        "corrupt": accounts.n_corrupt,
        "answers": accounts.n_answers,
        "dead_letters": accounts.n_letters,
        "by_model": dict(accounts.by_model),
        **{what: accounts.count(what) for what in Wrong},
        "faults": {
            kind: {
                "count": of_kind.n,
                "recovery_s": [round(s, 3) if isfinite(s) else None for s in of_kind.recovery_s],
                "longest_wait_s": round(of_kind.longest_wait_s, 3)
                if isfinite(of_kind.longest_wait_s)
                else None,
            }
            for kind, of_kind in outcome.by_kind.items()
        },
        "missed": [fault.as_dict() for fault in outcome.missed],
        "problems": outcome.problems,
        "remarks": outcome.remarks,
        "findings": [finding._asdict() for finding in accounts.findings[:1000]],
        "exits": [vars(exit) for exit in outcome.exits],
        "schedule": [fault.as_dict() for fault in outcome.faults],
    }
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
