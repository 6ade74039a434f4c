"""The results as text, CSV and pictures."""

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.routing.equal_accuracy import Comparison
from benchmarks.routing.matrix import Cell
from benchmarks.routing.real import Check
from benchmarks.routing.rules import ORACLE, OURS, RULES
from benchmarks.routing.verdicts import Behind, Verdict, by_run, figure, floors
from benchmarks.routing.workloads import KINDS

CSV_FIELDS = (
    "on_time", "on_time_feasible", "misses", "as_asked", "windows_kept", "accuracy",
    "right_in_time", "compute_us", "p50_ms", "p99_ms",
)  # fmt: skip


def matrix_text(cells: Sequence[Cell]) -> str:
    """One table per task and workload."""
    runs = by_run(cells)
    lines = [
        "on time: of as many messages as the best of the rules answered in time in that run; as "
        "asked: of as many,",
        "in time and by a plan whose test accuracy is not below the floor; windows: of 200 "
        "messages of one floor, not below it",
        "beyond sampling error; right: of all messages, rightly answered in time; +- twice the "
        "standard error over the seeds",
    ]
    for task in dict.fromkeys(cell.task for cell in cells):
        for kind in KINDS:
            oracle = runs[task, kind, ORACLE]
            best = figure(oracle, "right_in_time").mean
            lines.append(
                f"\n{task}, {kind}\n{'rule':16}{'on time':>17}{'misses':>9}{'as asked':>17}"
                f"{'windows':>9}{'accuracy':>9}{'right':>8}{'regret':>8}{'us/msg':>9}"
                f"{'p50 ms':>9}{'p99 ms':>9}  accuracy by floor"
            )
            for rule in RULES:
                mine = runs[task, kind, rule]
                on_time, asked = figure(mine, "on_time_feasible"), figure(mine, "as_asked")
                right = figure(mine, "right_in_time").mean
                by_floor = " ".join(f"{f:g}:{a:.3f}" for f, a in floors(mine).items())
                lines.append(
                    f"{rule:16}{on_time.mean:9.2%} +-{on_time.noise:5.2%}"
                    f"{figure(mine, 'misses').mean:9.0f}"
                    f"{asked.mean:9.2%} +-{asked.noise:5.2%}"
                    f"{figure(mine, 'windows_kept').mean:9.1%}"
                    f"{figure(mine, 'accuracy').mean:9.4f}{right:8.2%}{best - right:8.2%}"
                    f"{figure(mine, 'compute_us').mean:9.2f}{figure(mine, 'p50_ms').mean:9.2f}"
                    f"{figure(mine, 'p99_ms').mean:9.1f}  {by_floor}"
                )
    return "\n".join(lines)


def comparison_text(comparisons: Sequence[Comparison]) -> str:
    """What equal accuracy costs."""
    lines = [
        f"{'task':9}{'':18}{'plan':58}{'validation':>11}{'test':>8}{'us alone':>10}{'batched':>9}"
    ]
    for c in comparisons:
        for label, side in (("always-best", c.best), ("cheapest single", c.single), (OURS, c.ours)):
            lines.append(
                f"{c.task:9}{label:18}{side.name:58}{side.validation_accuracy:11.4f}"
                f"{side.test_accuracy:8.4f}{side.alone_us:10.1f}{side.batched_us:9.2f}"
            )
        lines.append(f"{c.task:9}{OURS} less always-best: {c.on_test} of the test split")
        if c.on_fresh is not None:
            lines.append(f"{c.task:9}{OURS} less always-best: {c.on_fresh} that no model has seen")
    return "\n".join(lines)


def check_text(check: Check) -> str:
    """The worker and its simulation side by side."""
    a, b, seen = check.worker, check.simulated, check.in_service
    under_way_ms = np.percentile(seen.under_way_ms, [50, 99])
    lines = [
        f"at {check.rate:,.0f} messages/s. Measured at half the rate: a message is under way for "
        f"{under_way_ms[0]:.1f} ms, 99 of 100 for at most {under_way_ms[1]:.1f}; a call takes "
        f"{np.median(np.concatenate(seen.excess_ms)) * 1e3:.0f} us longer than in a tight loop; "
        f"{seen.overhead.poll_ms * 1e3:.0f} us of the processor go into polling, per slice. "
        f"The processor of broker and devices was idle for {check.broker_idle:.0%} of the time",
        f"{'':26}{'worker':>10}{'simulated':>11}",
        f"{'on time':26}{a.on_time:10.2%}{b.on_time:11.2%}",
        f"{'compute us/message':26}{a.compute_us:10.2f}{b.compute_us:11.2f}",
        f"{'latency p50 ms':26}{a.p50_ms:10.2f}{b.p50_ms:11.2f}",
        f"{'latency p99 ms':26}{a.p99_ms:10.2f}{b.p99_ms:11.2f}",
    ]
    for name in {**a.plans, **b.plans}:
        lines.append(f"  {name:40}{a.plans.get(name, 0.0):8.1%}{b.plans.get(name, 0.0):8.1%}")
    return "\n".join(lines)


def verdicts_text(found: Sequence[Verdict], behind: Sequence[Behind]) -> str:
    """What was to be reached, and where another rule is ahead."""
    words = {True: "reached", False: "NOT reached", None: "not measured"}
    lines = [f"{words[v.reached]:13} {v.what}: {v.found}" for v in found]
    for b in behind:
        note = "" if b.dominated else " (ours is ahead in the other figure)"
        lines.append(f"  behind {b.rule} in {b.task}, {b.kind}: {b.text}{note}")
    return "\n".join(lines)


def write_csv(path: Path, cells: Sequence[Cell]) -> None:
    """Every run in one line."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["task", "workload", "rule", "seed", *CSV_FIELDS])
        for cell in cells:
            figures = [f"{getattr(cell.score, name):.6g}" for name in CSV_FIELDS]
            writer.writerow([cell.task, cell.kind, cell.rule, cell.seed, *figures])


def draw(path: Path, cells: Sequence[Cell], capacities: Mapping[str, float]) -> None:
    """Share served as asked and on time, per rule and workload; one row of panels per task."""
    os.environ.setdefault("MPLCONFIGDIR", str(path.parent))
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "ounce"
    import matplotlib.pyplot as plt

    runs = by_run(cells)
    tasks = list(dict.fromkeys(cell.task for cell in cells))
    figure_, axes = plt.subplots(
        len(tasks), len(KINDS), figsize=(14, 2.7 * len(tasks)), sharey=True, squeeze=False
    )
    names = [rule for rule in reversed([*RULES]) if rule != ORACLE]
    for row, task in zip(axes, tasks, strict=True):
        for panel, kind in zip(row, KINDS, strict=True):
            on_time = [figure(runs[task, kind, r], "on_time_feasible").mean for r in names]
            asked = [figure(runs[task, kind, r], "as_asked").mean for r in names]
            colours = ["#c44e52" if r == OURS else "#4c72b0" for r in names]
            panel.barh(names, on_time, color=colours, alpha=0.3)
            panel.barh(names, asked, color=colours)
            panel.set_xlim(0, 1)
            panel.set_title(f"{task}, {kind}", fontsize=9)
            panel.tick_params(labelsize=8)
    told = "; ".join(f"{t} {rate:,.0f}/s" for t, rate in capacities.items())
    figure_.suptitle(
        "Share answered in time, of as many as the best rule has (pale), and by a plan that keeps "
        f"the floor (full). Capacity: {told}",
        fontsize=9,
    )
    figure_.tight_layout()
    figure_.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    plt.close(figure_)
