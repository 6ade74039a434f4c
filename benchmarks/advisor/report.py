"""Tables of the documentation, from what was kept."""

from collections.abc import Collection, Sequence

import numpy as np

from benchmarks.advisor.case import Case, Failure, Kept, Limit, Peered
from benchmarks.advisor.regret import OPPONENTS, regret, regret_of_always
from benchmarks.results import Cell, Table


def tables(kept: Sequence[Kept], n_tables: int) -> dict[str, Table]:
    """`advisor_regret`, and where peers searched `advisor_peers`.

    Args:
        kept: of a run.
        n_tables: that the run is to take in.
    """
    cases = [one for one in kept if isinstance(one, Case)]
    peered = [one for one in kept if isinstance(one, Peered)]
    failed = _failed(kept)
    found = {}
    if cases:
        found["advisor_regret"] = _regrets(cases, n_tables, failed)
    if cases and peered:
        found["advisor_peers"] = _peers(peered, cases, failed)
    return found


def _failed(kept: Sequence[Kept]) -> list[tuple[str, str]]:
    """Who failed of which table, and did not succeed later."""
    done = {("advice", one.table) for one in kept if isinstance(one, Case)}
    done |= {(one.peer, one.table) for one in kept if isinstance(one, Peered)}
    return sorted({(f.who, f.table) for f in kept if isinstance(f, Failure)} - done)


def _regrets(cases: Sequence[Case], n_tables: int, failed: Sequence[tuple[str, str]]) -> Table:
    seen = {case.table for case in cases}
    n_splits = {len({c.seed for c in cases if c.table == table}) for table in seen}
    lost = [table for who, table in failed if who == "advice"]
    part = f" {len(seen)} of {n_tables} tables." if len(seen) < n_tables else ""
    return Table(
        columns=[
            "limit",
            "tables",
            "mean regret, points",
            "worst tenth",
            *(f"always {name}" for name in OPPONENTS),
            "limit kept, %",
            "kind chosen from a quarter of the rows, points",
            "advice takes, s (median)",
        ],
        rows=[_regret_row(cases, limit) for limit in sorted({case.limit for case in cases})],
        note="Regret: test accuracy below that of the best model that keeps the limit, in "
        f"hindsight, both on the mean of {_splits(n_splits)}. Others may break the limit."
        + part
        + (f" No advice: {', '.join(lost)}." if lost else ""),
    )


def _regret_row(cases: Sequence[Case], limit: Limit) -> list[Cell]:
    every = [case for case in cases if case.limit == limit]
    of = [[c for c in every if c.table == name] for name in sorted({c.table for c in every})]
    regrets = np.array([regret(splits) for splits in of])
    worst = np.sort(regrets)[-max(1, len(of) // 10) :]
    always = [
        [lost for splits in of if (lost := regret_of_always(name, splits)) is not None]
        for name in OPPONENTS
    ]
    return [
        _say(limit),
        len(of),
        round(float(regrets.mean()), 2),
        round(float(worst.mean()), 2),
        *(round(float(np.mean(lost)), 2) if lost else None for lost in always),
        round(100 * float(np.mean([np.mean([c.kept for c in splits]) for splits in of])), 1),
        round(float(np.mean([np.mean([c.early for c in splits]) for splits in of])), 2),
        round(float(np.median([c.race_s for c in every])), 1),
    ]


def _peers(
    peered: Sequence[Peered], cases: Sequence[Case], failed: Sequence[tuple[str, str]]
) -> Table:
    ours = {(case.table, case.limit): case for case in cases if case.seed == 0}
    rows: list[list[Cell]] = []
    for name in sorted({found.peer for found in peered}):
        for limit in sorted({found.limit for found in peered}):
            both = [
                (found, ours[found.table, limit])
                for found in peered
                if (found.peer, found.limit) == (name, limit) and (found.table, limit) in ours
            ]
            if both:
                rows.append(_peer_row(name, limit, both))
    lost = [f"{who} of {table}" for who, table in failed if who != "advice"]
    return Table(
        columns=[
            "peer",
            "limit",
            "tables",
            "its accuracy, %",
            "accuracy of the advice, %",
            "limit kept, %",
            "by the advice, %",
            "µs a row, median",
            "of the advice, µs",
            "µs of a row alone",
            "of the advice alone, µs",
            "it takes, s (median)",
            "advice takes, s (median)",
        ],
        rows=rows,
        note="First split of each table, the same test rows. A peer predicts in Python as its own "
        "documentation says; the advice is served by ONNX Runtime, one thread."
        + (f" Ended with an error: {', '.join(lost)}." if lost else ""),
    )


def _peer_row(name: str, limit: Limit, both: Sequence[tuple[Peered, Case]]) -> list[Cell]:
    theirs, ours = [found for found, _ in both], [case for _, case in both]
    return [
        name,
        _say(limit),
        len(both),
        round(100 * float(np.mean([f.accuracy for f in theirs])), 2),
        round(100 * float(np.mean([c.accuracy for c in ours])), 2),
        round(100 * float(np.mean([f.row_us <= limit[0] for f in theirs])), 1),
        round(100 * float(np.mean([c.kept for c in ours])), 1),
        round(float(np.median([f.row_us for f in theirs])), 1),
        round(float(np.median([c.row_us for c in ours])), 1),
        round(float(np.median([f.alone_us for f in theirs]))),
        round(float(np.median([c.alone_us for c in ours])), 1),
        round(float(np.median([f.seconds for f in theirs])), 1),
        round(float(np.median([c.race_s for c in ours])), 1),
    ]


def _splits(counts: Collection[int]) -> str:
    fewest, most = min(counts), max(counts)
    if fewest < most:
        return f"{fewest} to {most} splits, more where rows are few"
    return f"{most} split{'s' if most > 1 else ''}"


def _say(limit: Limit) -> str:
    return f"{limit[0]:g} µs a row, calls of {limit[1]}"
