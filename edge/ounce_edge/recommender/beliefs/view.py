"""What is believed of the plans at one moment: all that a decision needs to know of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

GRID: NDArray[np.float64] = np.exp2(np.arange(15.0))
"""Batch sizes at which curves are kept, 1 to 16,384; between them they are linear."""
_GRID_SIZES = [int(size) for size in GRID]
_MOST_RANKINGS = 256
_MOST_CALLS = 1024


@dataclass(frozen=True)
class View:
    """All that a decision needs to know of the plans; it never changes.

    Lists have an entry per plan; curves have one per batch size of `GRID`, for a whole call.
    """

    names: Sequence[str]
    p99_ms: Sequence[Sequence[float]]
    """Time until the answers are published: the call, and what its messages and their group take
    beside it."""
    usual_ms: Sequence[Sequence[float]]
    """The same, as it usually is."""
    cost: Sequence[Sequence[float]]
    """Expected cost in the policy's objective."""
    median_ms: Sequence[Sequence[float]]
    """Expected compute."""
    accuracy: Sequence[float]
    accuracy_low: Sequence[float]
    accuracy_high: Sequence[float]
    size_bytes: Sequence[int]
    is_single: Sequence[bool]
    """Whether it is one model, not a cascade."""
    usable: Sequence[int]
    """Indices of the plans that may answer and whose models are all in service."""
    permitted: Sequence[int] | None = None
    """Indices of the plans that may answer; None: all."""
    cold: frozenset[int] = frozenset()
    """Those with a model that is not loaded: their times hold the load, and messages for them wait
    until it is done."""
    _rankings: dict[int, "Ranking"] = field(default_factory=dict, repr=False, compare=False)
    _finish_each_ms: dict[int, Sequence[float]] = field(
        default_factory=dict, repr=False, compare=False
    )
    _largest_within: dict[float, int] = field(default_factory=dict, repr=False, compare=False)

    def ranking(self, n_items: int) -> "Ranking":
        """The usable plans by their cost at that batch size, ties going to fewer bytes; worked out
        once."""
        found = self._rankings.get(n_items)
        if found is None:
            if len(self._rankings) >= _MOST_RANKINGS:
                self._rankings.clear()
            found = self._rankings[n_items] = self._rank(n_items)
        return found

    @cached_property
    def calls(self) -> "CallForecasts":
        """What is expected of a call, by its plan and its number of messages."""
        return CallForecasts((self.usual_ms, self.p99_ms, self.median_ms, self.cost))

    def _rank(self, n_items: int) -> "Ranking":
        ranks = list(zip(curves_at(self.cost, n_items), self.size_bytes, strict=True))
        by_cost = sorted(self.usable, key=ranks.__getitem__)  # `usable` is ascending
        surest, frontier = -1.0, list[int]()
        for plan in by_cost:
            if self.accuracy_low[plan] > surest:
                surest = self.accuracy_low[plan]
                frontier.append(plan)
        floors = [self.accuracy_low[plan] for plan in frontier]
        singles = [p for p in by_cost if self.is_single[p]] or by_cost
        best = max(singles, key=self.accuracy.__getitem__)
        return Ranking(by_cost, frontier, floors, best)

    @cached_property
    def highest_floor(self) -> float:
        """Greatest accuracy floor that a usable plan meets."""
        return max(self.accuracy_low[p] for p in self.usable)

    def finish_each_ms(self, n_items: int) -> Sequence[float]:
        """`CallForecast.finish_ms` of every plan; worked out once."""
        found = self._finish_each_ms.get(n_items)
        if found is None:
            if len(self._finish_each_ms) >= _MOST_RANKINGS:
                self._finish_each_ms.clear()
            found = self._finish_each_ms[n_items] = curves_at(self.p99_ms, n_items)
        return found

    @cached_property
    def fastest_alone_ms(self) -> float:
        """Time that the quickest usable plan takes for one message: with less left, it is late."""
        return min(self.calls[p, 1].finish_ms for p in self.usable)

    def most_within(self, plan: int, budget_ms: float, most: int) -> int:
        """The largest batch, `most` at most, that is answered within `budget_ms` 99 times in 100; 0
        if none."""
        return _most_within(self.p99_ms[plan], budget_ms, most)

    def most_usually_within(self, plan: int, budget_ms: float, most: int) -> int:
        """The largest batch, `most` at most, that usually is answered within `budget_ms`; 0 if
        none."""
        return _most_within(self.usual_ms[plan], budget_ms, most)

    def soonest_ms(self, n_items: int) -> float:
        """Expected time until the fastest plan has answered a batch of `n_items`."""
        usual_ms = curves_at(self.usual_ms, n_items)
        return min([usual_ms[p] for p in self.usable])

    def largest_within(self, budget_ms: float) -> int:
        """The largest batch that some usable plan usually answers within `budget_ms`, 0 if none;
        worked out once."""
        found = self._largest_within.get(budget_ms)
        if found is None:
            sizes = [self.most_usually_within(p, budget_ms, _GRID_SIZES[-1]) for p in self.usable]
            found = self._largest_within[budget_ms] = max(sizes)
        return found


class CallForecast(NamedTuple):
    """What is expected of one call."""

    usual_ms: float
    """Until its answers are published, as it usually is: what those behind it wait."""
    finish_ms: float
    """99th percentile of the same."""
    expected_ms: float
    """Compute."""
    cost: float
    """In the policy's objective."""


class CallForecasts(dict[tuple[int, int], CallForecast]):
    """Forecasts of one view, by plan and number of messages. Each is worked out when it is first
    asked for. A dictionary, since a decision asks several times: what is known is only looked up.

    Args:
        curves: of each field of `CallForecast`, per plan.
    """

    def __init__(self, curves: Sequence[Sequence[Sequence[float]]]) -> None:
        super().__init__()
        self._curves = curves

    def __missing__(self, key: tuple[int, int]) -> CallForecast:
        if len(self) >= _MOST_CALLS:
            self.clear()
        plan, n_items = key
        call = self[key] = CallForecast(
            *curves_at([of_all[plan] for of_all in self._curves], n_items)
        )
        return call


class Ranking(NamedTuple):
    """Plans by their cost at one batch size."""

    by_cost: Sequence[int]
    """From the lightest to the heaviest."""
    frontier: Sequence[int]
    """Of these the ones worth choosing: each is more accurate than all lighter ones."""
    floors: Sequence[float]
    """Accuracy that each of the frontier's is sure to have, ascending."""
    always_best: int
    """The most accurate single model, of equals the lightest: savings are held against it."""

    def rungs(self, min_accuracy: NDArray[np.float64]) -> NDArray[np.intp]:
        """Place of each message's lightest sufficient plan in the frontier, by their accuracy
        floors; behind its end where there is none. Shape (n,)."""
        return np.array(self.floors).searchsorted(min_accuracy)


def _most_within(curve: Sequence[float], budget_ms: float, most: int) -> int:
    if curve_at(curve, most) <= budget_ms:
        return most
    if curve[0] > budget_ms:
        return 0
    i = 0
    while i + 1 < len(curve) and curve[i + 1] <= budget_ms:
        i += 1
    low, high = curve[i], curve[i + 1] if i + 1 < len(curve) else 2.0 * curve[i]
    share = (budget_ms - low) / (high - low) if high > low else 1.0
    return max(1, min(most, int(_GRID_SIZES[i] * (1.0 + share))))


def curve_at(curve: Sequence[float], n_items: int) -> float:
    """A curve over `GRID` at one batch size, linear between the grid's sizes and beyond."""
    i = n_items.bit_length() - 1
    if i >= len(curve) - 1:
        return curve[-1] * n_items / _GRID_SIZES[-1]
    low = curve[i]
    return low + (curve[i + 1] - low) * (n_items / _GRID_SIZES[i] - 1.0)


def curves_at(curves: Sequence[Sequence[float]], n_items: int) -> list[float]:
    """`curve_at` of several curves."""
    i = n_items.bit_length() - 1
    if i >= len(GRID) - 1:
        return [curve[-1] * n_items / _GRID_SIZES[-1] for curve in curves]
    share = n_items / _GRID_SIZES[i] - 1.0
    return [curve[i] + (curve[i + 1] - curve[i]) * share for curve in curves]
