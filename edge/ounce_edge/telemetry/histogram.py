"""A Prometheus histogram that takes a whole array of values at once."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector


class BulkHistogram(Collector):
    """A histogram that takes a whole array at once; prometheus-client's takes single values, at a
    cost per message that would be the largest in the worker."""

    def __init__(
        self,
        name: str,
        documentation: str,
        label_names: Sequence[str],
        buckets: Sequence[float],
        registry: CollectorRegistry,
    ) -> None:
        self._name = name
        self._documentation = documentation
        self._label_names = list(label_names)
        self._upper: NDArray[np.float64] = np.array([*buckets, np.inf])
        self._units = np.eye(len(self._upper), dtype=np.int64)
        """Counts of one value, by its bucket."""
        self._bounds = [*(str(float(b)) for b in buckets), "+Inf"]
        self._series: dict[tuple[str, ...], tuple[NDArray[np.int64], float]] = {}
        registry.register(self)

    def observe(self, labels: tuple[str, ...], values: NDArray[np.float64]) -> None:
        """Add values of shape (n,) to one series."""
        if len(values) == 1:
            self.observe_one(labels, float(values[0]))
            return
        positions = self._upper.searchsorted(values)
        self._add(labels, np.bincount(positions, minlength=len(self._upper)), float(values.sum()))

    def observe_one(self, labels: tuple[str, ...], value: float) -> None:
        """Add one value to one series."""
        self._add(labels, self._units[bisect_left(self._upper, value)], value)

    def _add(self, labels: tuple[str, ...], counts: NDArray[np.int64], total: float) -> None:
        before, total_before = self._series.get(labels, (0, 0.0))
        self._series[labels] = (before + counts, total_before + total)

    def describe(self) -> Iterable[HistogramMetricFamily]:
        """The family without samples: the registry then need not collect to register."""
        yield self._family()

    def collect(self) -> Iterable[HistogramMetricFamily]:
        """The family with its samples."""
        family = self._family()
        for labels, (counts, total) in list(self._series.items()):
            cumulative = np.cumsum(counts).tolist()
            family.add_metric(labels, list(zip(self._bounds, cumulative, strict=True)), total)
        yield family

    def _family(self) -> HistogramMetricFamily:
        return HistogramMetricFamily(self._name, self._documentation, labels=self._label_names)
