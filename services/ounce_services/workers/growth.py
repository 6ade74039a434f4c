"""How counters grew: between two looks at some workers, or since the workers started."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ounce_services.workers.pages import Page


class Look(NamedTuple):
    """A worker's page, and the one before it."""

    now: Page
    before: Page | None = None
    """None: counted since the worker started."""


class Growth:
    """Growth of counters, summed over workers.

    Args:
        looks: at each worker.
    """

    def __init__(self, looks: Sequence[Look]) -> None:
        self._looks = looks

    def by(self, name: str, *labels: str, **match: str) -> dict[tuple[str, ...], float]:
        """How much a counter grew, by labels.

        A counter that is less than before began anew with its worker: it grew by what it is.

        Args:
            name: of the sample.
            labels: to keep.
            match: labels that series must have.
        """
        sums: defaultdict[tuple[str, ...], float] = defaultdict(float)
        for now, before in self._looks:
            were = {} if before is None else _keyed(before, name, match)
            for key, (own, value) in _with_labels(now, name, match).items():
                was = were.get(key, 0.0)
                sums[tuple(own.get(label, "") for label in labels)] += (
                    value - was if value >= was else value
                )
        return dict(sums)

    def total(self, name: str, **match: str) -> float:
        """How much a counter grew, all series together."""
        return sum(self.by(name, **match).values())

    def quantile(self, q: float, name: str, **match: str) -> float | None:
        """A quantile of a histogram, interpolated within its bucket; None where nothing came.

        A value beyond the last bound counts as that bound.
        """
        counts = sorted(
            (float(bound), n) for (bound,), n in self.by(f"{name}_bucket", "le", **match).items()
        )
        if not counts or not counts[-1][1]:
            return None
        wanted, low, below = q * counts[-1][1], 0.0, 0.0
        for bound, n in counts:
            if n >= wanted and n > below:
                if math.isinf(bound):
                    return low
                return low + (bound - low) * (wanted - below) / (n - below)
            low, below = bound, n
        return low


def _key(labels: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    return frozenset(labels.items())


def _keyed(page: Page, name: str, match: Mapping[str, str]) -> Mapping[object, float]:
    return {_key(own): value for own, value in page.matching(name, **match)}


def _with_labels(
    page: Page, name: str, match: Mapping[str, str]
) -> Mapping[object, tuple[Mapping[str, str], float]]:
    return {_key(own): (own, value) for own, value in page.matching(name, **match)}
