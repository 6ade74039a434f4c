"""A Prometheus histogram that takes a whole array of values at once."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar, Sample


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
        self._exemplars: dict[tuple[str, ...], dict[int, Exemplar]] = {}
        """The latest of each bucket, by series."""
        self._names: dict[tuple[str, ...], Sequence[tuple[str, dict[str, str]]]] = {}
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

    def exemplify(self, labels: tuple[str, ...], value: float, trace_id: str, at_s: float) -> None:
        """Name the trace of a value that was added; shown in the OpenMetrics format alone.

        Args:
            labels: of the series.
            value: that was added.
            trace_id: 32 hexadecimal digits.
            at_s: seconds since 1970.
        """
        bucket = bisect_left(self._upper, value)
        exemplar = Exemplar({"trace_id": trace_id}, value, at_s)
        self._exemplars[labels] = {**self._exemplars.get(labels, {}), bucket: exemplar}

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
            exemplars = self._exemplars.get(labels, {})
            values = [*cumulative, cumulative[-1], total]
            family.samples += [
                Sample(name, own, value, None, exemplars.get(i))
                for i, ((name, own), value) in enumerate(
                    zip(self._named(labels), values, strict=True)
                )
            ]
        yield family

    def _named(self, labels: tuple[str, ...]) -> Sequence[tuple[str, dict[str, str]]]:
        """Names and labels of a series' samples: buckets, count, sum. They are kept: to make them
        anew takes most of a scrape."""
        names = self._names.get(labels)
        if names is None:
            own = dict(zip(self._label_names, labels, strict=True))
            names = self._names[labels] = [
                *((f"{self._name}_bucket", {**own, "le": bound}) for bound in self._bounds),
                (f"{self._name}_count", own),
                (f"{self._name}_sum", own),
            ]
        return names

    def _family(self) -> HistogramMetricFamily:
        return HistogramMetricFamily(self._name, self._documentation, labels=self._label_names)
