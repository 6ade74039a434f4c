"""Tables of the documentation from the cases."""

import math
import statistics
from collections.abc import Callable, Sequence

from ounce_edge.recommender.beliefs.measures import Z_95, wilson

from benchmarks.public_tables.case import BATCH, Case, Promise
from benchmarks.results import Cell, Table

MOST_BEHIND = 0.01
LEAST_LIGHTER = 5.0
LEAST_KEPT = 0.95
MOST_DIFFERENCE = 1e-5


def tables(cases: Sequence[Case]) -> dict[str, Table]:
    """Claims, and one row a table."""
    return {"public-claims": claims_table(cases), "public-tables": tables_table(cases)}


def claims_table(cases: Sequence[Case]) -> Table:
    """What is to be reached beside what was."""
    by_table = _by_table(cases)
    whole = [case for case in cases if case.exit_code == 0 and case.models == case.asked]
    told = [case for case in cases if case.models]
    ahead = {name: _ahead(of_table) for name, of_table in by_table.items() if _scored(of_table)}
    lighter = [_lighter(of_table) for of_table in by_table.values() if _scored(of_table)]
    promises = [promise for case in told for promise in case.promises]
    exact = [case for case in told if case.boosting_parity <= MOST_DIFFERENCE]
    behind = [name for name, lead in ahead.items() if lead < -MOST_BEHIND]
    rows: list[list[Cell]] = [
        ["a whole ladder and exit code 0", "all", f"{len(whole)} of {len(cases)}"],
        [
            "the best model against the better opponent, mean over tables",
            "ahead",
            _points(statistics.fmean(ahead.values())) if ahead else None,
        ],
        [
            "tables where it is behind by more than 1 point",
            "0",
            f"{len(behind)} of {len(ahead)}" + (f": {', '.join(behind)}" if behind else ""),
        ],
        [
            f"the lightest model within 1 point of the best, median table, calls of {BATCH}",
            f"{LEAST_LIGHTER:g} times lighter",
            f"{statistics.median(lighter):.1f} times" if lighter else None,
        ],
        *kept_promises(promises),
        [
            "the ladder's boosting against scikit-learn, largest difference",
            f"{MOST_DIFFERENCE:g}",
            f"within it in {len(exact)} of {len(told)}; at most "
            f"{max((case.boosting_parity for case in told), default=0.0):.1e}",
        ],
    ]
    seeds = len({case.seed for case in cases})
    note = f"{len(by_table)} tables, {seeds} {'seeds' if seeds > 1 else 'seed'}."
    return Table(["claim", "to reach", "seen"], rows, note)


def tables_table(cases: Sequence[Case]) -> Table:
    """One row a table, means over its seeds."""
    rows = [_row(name, of_table) for name, of_table in _by_table(cases).items()]
    return Table(
        columns=[
            "table",
            "rows",
            "best model",
            "its score",
            "boosting",
            "forest",
            "ahead, points",
            "lightest within 1 point",
            "its µs a row",
            "boosting's",
            "times lighter (alone)",
            "promises reached",
            "seconds to train",
        ],
        rows=rows,
        note="Means over seeds. A score is the accuracy on the test rows, of a quantity R².",
    )


def kept_promises(promises: Sequence[Promise]) -> list[list[Cell]]:
    """Rows of claims: promises that test rows do not refute, and those that they reach.

    A bound and the share of a few test rows both vary by chance. So a share below the bound refutes
    it only where the share's own 95% interval ends below it. And of exact bounds, which true
    accuracies fall below in 2.5% of cases, a larger part is above the share of test rows.
    """
    if not promises:
        return []
    n = len(promises)
    not_refuted = sum(wilson(p.right / p.n, p.n)[1] >= p.low for p in promises)
    reached = sum(p.right / p.n >= p.low for p in promises)
    exact = statistics.fmean(_reached_if_exact(p) for p in promises)
    return [
        [
            "promises (lower bounds) that the test rows do not refute",
            f"{LEAST_KEPT:.0%}",
            f"{not_refuted / n:.1%} of {n:,}",
        ],
        [
            "promises that the share of the test rows reaches",
            f"{exact:.0%} of exact bounds",
            f"{reached / n:.1%} of {n:,}",
        ],
    ]


def _reached_if_exact(promise: Promise) -> float:
    """Probability that the share of the test rows reaches a bound whose distance below the
    validation items' share is just what chance asks for."""
    spread = math.sqrt(1.0 + promise.judged / promise.n)
    return statistics.NormalDist().cdf(Z_95 / spread)


def _row(name: str, cases: Sequence[Case]) -> list[Cell]:
    told = _scored(cases)
    if not told:
        return [name, None, f"exit code {cases[0].exit_code}", *[None] * 10]

    def mean(of: Callable[[Case], float]) -> float:
        return statistics.fmean(of(case) for case in told)

    promises = [promise for case in told for promise in case.promises]
    reached = sum(p.right / p.n >= p.low for p in promises)
    alone = statistics.median(case.boosting_alone_us / case.alone_us for case in told)
    return [
        name,
        told[0].n_learn + told[0].n_test,
        statistics.mode(case.best for case in told),
        f"{mean(lambda case: case.best_score):.4f}",
        f"{mean(lambda case: case.boosting_score):.4f}",
        f"{mean(lambda case: case.forest_score):.4f}",
        _points(_ahead(told)),
        statistics.mode(case.lightest for case in told),
        f"{mean(lambda case: case.row_us):.2f}",
        f"{mean(lambda case: case.boosting_row_us):.2f}",
        f"{_lighter(told):.1f} ({alone:.1f})",
        f"{reached} of {len(promises)}",
        f"{mean(lambda case: case.train_s):.0f}",
    ]


def _by_table(cases: Sequence[Case]) -> dict[str, list[Case]]:
    found: dict[str, list[Case]] = {}
    for case in sorted(cases, key=lambda case: (case.kind, case.table.lower(), case.seed)):
        found.setdefault(case.table, []).append(case)
    return found


def _scored(cases: Sequence[Case]) -> list[Case]:
    return [case for case in cases if case.models]


def _ahead(cases: Sequence[Case]) -> float:
    """Of the better opponent, which is the one that is better over all seeds."""
    told = _scored(cases)
    best, boosting, forest = (
        statistics.fmean(scores)
        for scores in zip(
            *((case.best_score, case.boosting_score, case.forest_score) for case in told),
            strict=True,
        )
    )
    return best - max(boosting, forest)


def _lighter(cases: Sequence[Case]) -> float:
    return statistics.median(case.boosting_row_us / case.row_us for case in _scored(cases))


def _points(share: float) -> str:
    return f"{share * 100:+.2f}"
