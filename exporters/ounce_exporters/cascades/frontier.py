"""Which cascades are kept: those that are better than any single model, and not too many."""

import math
from collections.abc import Iterable, Sequence

from ounce_exporters.cascades.cost import BATCH_SIZES, expected_ms
from ounce_exporters.cascades.evidence import Evidence
from ounce_exporters.cascades.search import Cascade

MOST = 10
"""Cascades kept of one ladder: enough for every floor, few enough to read and to choose from."""
LEAST_SAVING = 0.05
"""A cascade that saves less than this share against every single model is not worth having."""
NEARLY_BEST = (0.001, 0.002)
"""Accuracies that one may well give up for cost."""
FLOORS = (0.99, 0.95, 0.9)
"""What a message typically asks for."""


def frontier(cascades: Iterable[Cascade], singles: Sequence[Evidence]) -> list[Cascade]:
    """Cascades cheaper than every single model of at least their accuracy, and not dominated.

    Cheaper at one of the batch sizes at least. A plan dominates another that costs no less at any
    batch size and is no more accurate.
    """
    points = [(single.accuracy, single_costs(single)) for single in singles]
    better = [c for c in cascades if _is_better(c, points)]
    better.sort(
        key=lambda c: (-c.accuracy, c.costs[-1], c.costs[0], len(c.final.sequence), c.final.name)
    )
    kept: list[Cascade] = []
    for cascade in better:
        # Whatever could dominate it stands before it.
        others = points + [(other.accuracy, other.costs) for other in kept]
        if not any(
            accuracy >= cascade.accuracy and _no_dearer(costs, cascade.costs)
            for accuracy, costs in others
        ):
            kept.append(cascade)
    return kept


def choose_few(candidates: Sequence[Cascade], singles: Sequence[Evidence]) -> list[Cascade]:
    """At most `MOST` of them, the most accurate first.

    First come the cheapest that is as accurate as the best single model, and the cheapest that is
    nearly so. Then, for each floor that a message may ask for and each single model's lower bound,
    the cheapest whose own lower bound reaches it, unless a single model does so at less cost. Then
    those that lie farthest from what is kept. The distance is that of the logarithms of their
    errors: from 0.98 to 0.99 is as far as from 0.8 to 0.9.
    """
    best = max(single.accuracy for single in singles)
    lows = {single.model: single.low for single in singles}
    kept: list[Cascade] = []
    for b in reversed(range(len(BATCH_SIZES))):
        for given_up in (0.0, *NEARLY_BEST):
            _add_cheapest(b, [c for c in candidates if c.accuracy >= best - given_up], [], kept)
        for floor in sorted({*FLOORS, *lows.values()}, reverse=True):
            among = [c for c in candidates if c.low >= floor]
            rivals = [single for single in singles if lows[single.model] >= floor]
            _add_cheapest(b, among, rivals, kept)
    del kept[MOST:]
    rest = [c for c in candidates if c not in kept]
    while rest and len(kept) < MOST:
        farthest = max(rest, key=lambda c: min((_distance(c, k) for k in kept), default=0.0))
        kept.append(farthest)
        rest.remove(farthest)
    return sorted(kept, key=lambda c: (-c.accuracy, c.costs[-1]))


def single_costs(single: Evidence) -> tuple[float, ...]:
    """Milliseconds per item of one model, for each of `BATCH_SIZES`."""
    return tuple(float(expected_ms([single.latency], [1.0], b)) for b in BATCH_SIZES)


def _is_better(cascade: Cascade, singles: Sequence[tuple[float, tuple[float, ...]]]) -> bool:
    rivals = [costs for accuracy, costs in singles if accuracy >= cascade.accuracy]
    return any(
        all(cascade.costs[b] <= (1 - LEAST_SAVING) * costs[b] for costs in rivals)
        for b in range(len(BATCH_SIZES))
    )


def _no_dearer(costs: Sequence[float], than: Sequence[float]) -> bool:
    return all(a <= b for a, b in zip(costs, than, strict=True))


def _distance(a: Cascade, b: Cascade) -> float:
    return abs(math.log((a.n - a.right + 1) / (b.n - b.right + 1)))


def _add_cheapest(
    b: int, among: Sequence[Cascade], rivals: Sequence[Evidence], kept: list[Cascade]
) -> None:
    if not among:
        return
    cheapest = min(among, key=lambda c: c.costs[b])
    if cheapest not in kept and all(single_costs(r)[b] > cheapest.costs[b] for r in rivals):
        kept.append(cheapest)
