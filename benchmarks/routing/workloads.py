"""Messages over time: when they arrive, what they hold, what they ask for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from ounce_edge.recommender.arrays import Floats

from benchmarks.routing.tables import Table

DEADLINES_MS = (5.0, 10.0, 20.0, 50.0, 100.0, 200.0)
"""Deadlines of messages, in equal shares."""
FLOORS = {"digits": (0.5, 0.9, 0.95, 0.97)}
"""Accuracy floors of messages, in equal shares; of other tasks `floors_of` derives them."""
BURST_ON_MS, BURST_EVERY_MS = 40.0, 200.0
"""Five times the mean rate while a burst lasts, nothing between."""
SLOWDOWN = 3.0
HARD_SHARE = 0.8
"""Share of the hard classes' messages once the mix has shifted."""


@dataclass(frozen=True)
class Workload:
    """Messages in the order of their arrival; every array has shape (n,)."""

    name: str
    arrival_ms: Floats
    item: NDArray[np.intp]
    """Index into the test split."""
    max_latency_ms: Floats
    floor: Floats
    slow_ms: tuple[float, float] = (np.inf, np.inf)
    """Begin and end of the time in which the machine is `SLOWDOWN` times slower."""

    def __len__(self) -> int:
        return len(self.arrival_ms)

    shifted_ms: float = np.inf
    """From then on hard classes are frequent."""

    @property
    def deadline_ms(self) -> Floats:
        """On the clock of the arrivals."""
        return self.arrival_ms + self.max_latency_ms

    def slowdown(self, at_ms: float) -> float:
        """How many times longer everything takes now."""
        return SLOWDOWN if self.slow_ms[0] <= at_ms < self.slow_ms[1] else 1.0


def floors_of(table: Table) -> Sequence[float]:
    """The floors of a task's messages. Where none are fixed: one that everything meets, and from
    the least to the most accurate single model on validation data, the last one met by it."""
    if table.task in FLOORS:
        return FLOORS[table.task]
    low = sorted(p.accuracy.low for p in table.plans if len(p.steps) == 1)
    between = [low[len(low) // 2], low[-2], low[-1]]
    return (0.5, *sorted({np.floor(b * 200.0) / 200.0 for b in between}))


def _spaced(rate: float, seconds: float, _: np.random.Generator) -> Floats:
    return np.arange(int(rate * seconds), dtype=np.float64) * 1e3 / rate


def _poisson(rate: float, seconds: float, rng: np.random.Generator) -> Floats:
    return np.sort(rng.uniform(0.0, seconds * 1e3, rng.poisson(rate * seconds)))


def _burst(rate: float, seconds: float, rng: np.random.Generator) -> Floats:
    flat = _poisson(rate, seconds, rng)
    period, inside = np.divmod(flat, BURST_EVERY_MS)
    return np.sort(period * BURST_EVERY_MS + inside * BURST_ON_MS / BURST_EVERY_MS)


def _ramp(rate: float, seconds: float, rng: np.random.Generator) -> Floats:
    """From a quarter of the given rate to twice that rate; a density that rises linearly."""
    low, high = 0.25, 2.0
    n = rng.poisson(rate * seconds * (low + high) / 2.0)
    u = rng.random(n) * (low + high) / 2.0
    x = (-low + np.sqrt(low * low + 2.0 * (high - low) * u)) / (high - low)
    return np.sort(x) * seconds * 1e3


@dataclass(frozen=True)
class Kind:
    """One kind of workload."""

    arrivals: Callable[[float, float, np.random.Generator], Floats]
    load: float
    """Mean rate over capacity (of the ramp: where it passes through it)."""
    seconds: float
    slows: bool = False
    shifts: bool = False


KINDS = {
    "steady": Kind(_spaced, 0.8, 2.0),
    "Poisson": Kind(_poisson, 0.8, 2.0),
    "burst": Kind(_burst, 0.8, 2.0),
    "ramp": Kind(_ramp, 1.0, 2.5),
    "slowed": Kind(_poisson, 0.4, 3.0, slows=True),
    "shift": Kind(_poisson, 0.6, 4.0, shifts=True),
}


def make(kind: str, table: Table, rate: float, seed: int, seconds: float | None = None) -> Workload:
    """Messages of one kind.

    Args:
        kind: key of `KINDS`.
        table: the task.
        rate: mean messages per second.
        seed: same seed, same messages.
        seconds: length; None: the kind's own.
    """
    spec = KINDS[kind]
    seconds = spec.seconds if seconds is None else seconds
    rng = np.random.default_rng([seed, sorted(KINDS).index(kind)])
    arrival_ms = spec.arrivals(rate, seconds, rng)
    n = len(arrival_ms)
    item = rng.integers(len(table.targets), size=n)
    if spec.shifts:
        after = arrival_ms >= seconds * 500.0
        hard = np.flatnonzero(np.isin(table.targets, hard_classes(table)))
        changed = after & (rng.random(n) < HARD_SHARE)
        item[changed] = rng.choice(hard, int(changed.sum()))
    return Workload(
        name=kind,
        arrival_ms=arrival_ms,
        item=item,
        max_latency_ms=rng.choice(DEADLINES_MS, n),
        floor=rng.choice(floors_of(table), n),
        shifted_ms=seconds * 500.0 if spec.shifts else np.inf,
        slow_ms=(seconds * 333.0, seconds * 667.0) if spec.slows else (np.inf, np.inf),
    )


def hard_classes(table: Table) -> Sequence[int]:
    """The classes that light plans answer worst on validation data: a fifth of them, at least
    one."""
    priors = [p.accuracy for p in table.plans if len(p.steps) == 1]
    n = np.array(priors[0].class_n, dtype=np.float64)
    accuracy = np.mean([p.class_accurate for p in priors], axis=0) / np.maximum(n, 1.0)
    return np.argsort(accuracy)[: max(1, len(n) // 5)].tolist()
