"""Every rule on every workload of every task, in parallel; and the capacity it is relative to."""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np

from benchmarks.routing.overhead import Overhead
from benchmarks.routing.rules import ORACLE, OURS, RULES
from benchmarks.routing.scores import Score, in_time, judge
from benchmarks.routing.simulation import simulate
from benchmarks.routing.tables import Answers, Table
from benchmarks.routing.workloads import KINDS, make

ENOUGH = 0.999
"""Share of feasible messages that must be answered in time."""
CAPACITY_SECONDS = 1.5
CAPACITY_STEPS = 7
TASK_RATES = (500.0, 200_000.0)
"""Between which capacity is looked for, messages per second."""


@dataclass(frozen=True)
class Measured:
    """A task as measured on this machine."""

    table: Table
    overhead: Overhead
    fresh: Answers | None = None
    """To many more items than the test split has, where items can be made."""


@dataclass(frozen=True)
class Cell:
    """One run."""

    task: str
    kind: str
    rule: str
    seed: int
    score: Score


def run_matrix(
    tasks: Sequence[Measured],
    rates: dict[str, float],
    seeds: int,
    workers: int,
    same_reading: bool = False,
) -> list[Cell]:
    """Simulate every rule on every workload.

    Args:
        tasks: the tables.
        rates: capacity per task, messages per second.
        seeds: runs of each, with different messages and times.
        workers: processes.
        same_reading: whether all rules read as ours does.
    """
    jobs = [
        (task, rates[task.table.task], kind, seed, same_reading)
        for task in tasks
        for kind in KINDS
        for seed in range(seeds)
    ]
    with ProcessPoolExecutor(workers, get_context("fork")) as pool:
        return [cell for cells in pool.map(_run, jobs) for cell in cells]


def find_capacities(tasks: Sequence[Measured], workers: int) -> dict[str, float]:
    """Per task, the largest steady rate at which our rule answers `ENOUGH` of the feasible
    messages in time and as asked; by bisection."""
    with ProcessPoolExecutor(workers, get_context("fork")) as pool:
        found = pool.map(_capacity, tasks)
        return {task.table.task: rate for task, rate in zip(tasks, found, strict=True)}


def _capacity(task: Measured) -> float:
    low, high = TASK_RATES
    table, overhead = task.table, task.overhead
    for _ in range(CAPACITY_STEPS + 2):
        rate = float(np.sqrt(low * high))
        workload = make("steady", table, rate, 7, CAPACITY_SECONDS)
        result = simulate(workload, RULES[OURS](table, overhead), 7)
        score = judge(table, workload, result, len(workload))
        if score.as_asked >= ENOUGH:
            low = rate
        else:
            high = rate
    return low


def _run(job: tuple[Measured, float, str, int, bool]) -> list[Cell]:
    task, rate, kind, seed, same_reading = job
    table, overhead = task.table, task.overhead
    workload = make(kind, table, rate * KINDS[kind].load, seed)
    end_ms = float(workload.deadline_ms.max())
    results = {}
    for name, make_rule in RULES.items():
        rule = make_rule(table, overhead)
        rule.reads_on |= same_reading
        results[name] = simulate(workload, rule, seed, end_ms=end_ms)
    # In overload not all can be in time; as many as the best rule has, some order achieves.
    feasible = max(int(in_time(workload, result).sum()) for result in results.values())
    return [
        Cell(
            table.task, kind, name, seed,
            judge(table, workload, result, feasible, knows_answers=name == ORACLE),
        )
        for name, result in results.items()
    ]  # fmt: skip
