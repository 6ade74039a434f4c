"""The results as tables for the documentation."""

from collections.abc import Mapping, Sequence

from benchmarks import results
from benchmarks.results import Table
from benchmarks.routing.equal_accuracy import Comparison
from benchmarks.routing.matrix import Cell
from benchmarks.routing.real import Check
from benchmarks.routing.rules import FIXED, OURS, RULES
from benchmarks.routing.verdicts import by_run, figure
from benchmarks.routing.workloads import KINDS

LIGHTEST = "always-lightest"


def tables(
    cells: Sequence[Cell],
    comparisons: Sequence[Comparison],
    deciding_us: Mapping[str, float],
    capacities: Mapping[str, float],
    check: Check | None,
) -> dict[str, Table]:
    """What was measured, as tables for the documentation."""
    found = {f"routing-{task}": summary_table(cells, task) for task in capacities}
    found["equal-accuracy"] = equal_accuracy_table(comparisons)
    found["deciding"] = Table(
        ["situation, batches of 100", "deciding, µs a message"],
        [[name, f"{us:.2f}"] for name, us in deciding_us.items()],
    )
    found["capacity"] = Table(
        ["task", "capacity, messages/s"],
        [[task, round(rate)] for task, rate in capacities.items()],
        "Capacity is the largest steady rate at which 99.9% of the messages are answered as asked.",
    )
    if check is not None:
        found["in-service"] = in_service_table(check)
    return found


def summary_table(cells: Sequence[Cell], task: str) -> Table:
    """One task: share on time / as asked, by rule and workload."""
    runs = by_run(cells)
    rows: list[list[results.Cell]] = []
    for rule in RULES:
        figures = [
            f"{figure(runs[task, kind, rule], 'on_time_feasible').mean:.1%} / "
            f"{figure(runs[task, kind, rule], 'as_asked').mean:.1%}"
            for kind in KINDS
        ]
        compute = figure(runs[task, "steady", rule], "compute_us").mean
        rows.append([f"**{rule}**" if rule == OURS else rule, *figures, f"{compute:.2f}"])
    note = (
        "Each cell: answered in time / in time and as asked, both as a share of what the best rule "
        f"of that run has in time. Means of {len(runs[task, 'steady', OURS])} seeds."
    )
    return Table(["rule", *KINDS, "µs a message, steady"], rows, note)


def equal_accuracy_table(comparisons: Sequence[Comparison]) -> Table:
    """What one accuracy costs."""
    columns = [
        "task", "plan", "µs a message, steady", "times less than always-best",
        "times less, at batch 1", "test accuracy, plan / always-best",
        "difference on the test split, points", "difference on fresh windows, points",
    ]  # fmt: skip
    rows: list[list[results.Cell]] = [
        [
            c.task, f"`{c.ours.name}`", f"{c.ours.batched_us:.1f}",
            f"{c.best.batched_us / c.ours.batched_us:.1f}",
            f"{c.best.alone_us / c.ours.alone_us:.1f}",
            f"{c.ours.test_accuracy:.4f} / {c.best.test_accuracy:.4f}",
            *(
                None if d is None else f"{100 * d.value:+.2f} ({100 * d.error:.2f})"
                for d in (c.on_test, c.on_fresh)
            ),
        ]
        for c in comparisons
    ]  # fmt: skip
    fresh = next((c.on_fresh.n_items for c in comparisons if c.on_fresh), 0)
    note = "The difference is taken item by item; in brackets its standard error."
    if fresh:
        note += f" Fresh windows: {fresh:,} of bearing's simulator that no model has seen."
    return Table(columns, rows, note)


def in_service_table(check: Check) -> Table:
    """The worker and its simulation side by side."""
    a, b = check.worker, check.simulated
    rows: list[list[results.Cell]] = [
        ["in time", f"{a.on_time:.1%}", f"{b.on_time:.1%}"],
        ["compute, µs a message", f"{a.compute_us:.1f}", f"{b.compute_us:.1f}"],
        ["median, ms", f"{a.p50_ms:.1f}", f"{b.p50_ms:.1f}"],
        ["p99, ms", f"{a.p99_ms:.1f}", f"{b.p99_ms:.1f}"],
        ["deciding, share of the processor time", f"{check.decision_share:.1%}", None],
    ]
    note = f"Digits on a real Kafka at {check.rate:,.0f} messages/s, the same messages."
    return Table(["figure", "worker", "simulation"], rows, note)


def same_reading_table(cells: Sequence[Cell]) -> Table:
    """What is left of the difference where all rules read as ours does."""
    runs = by_run(cells)

    def of(task: str, kind: str, rule: str, name: str) -> float:
        return figure(runs[task, kind, rule], name).mean

    rows: list[list[results.Cell]] = []
    for task in dict.fromkeys(cell.task for cell in cells):
        lightest, ours = (of(task, "burst", r, "on_time_feasible") for r in (LIGHTEST, OURS))
        rows.append(
            [
                task,
                f"{lightest - ours:.1%}",
                *(f"{of(task, 'burst', r, 'as_asked'):.1%}" for r in (LIGHTEST, OURS)),
                *(
                    f"{of(task, k, FIXED, 'misses') / max(of(task, k, OURS, 'misses'), 1.0):.0f}"
                    for k in ("burst", "ramp")
                ),
            ]
        )
    columns = [
        "task", "always-lightest, more in time than ours in bursts",
        "always-lightest, as asked in bursts", "ours, as asked in bursts",
        "misses of best-fixed over ours, bursts", "misses of best-fixed over ours, ramps",
    ]  # fmt: skip
    return Table(columns, rows, "With `--same-reading` all rules read as the worker does.")
