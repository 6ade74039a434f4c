"""A Prometheus histogram that takes a whole array of values at once."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar, Sample

from ounce_edge.telemetry.text_format import exemplar_text, line_start, number_text
from ounce_edge.telemetry.written import WrittenFamily

_PLAIN = 10**6
"""From here on counts are written with an exponent."""
_NONE: Mapping[int, Exemplar] = {}


class _Series:
    """One series. It is added to on one thread, and read on others."""

    __slots__ = ("counts", "n_additions", "total")

    def __init__(self, n_buckets: int) -> None:
        self.counts = [0] * n_buckets
        """Values by bucket."""
        self.total = 0.0
        self.n_additions = 0
        """Raised last: who reads it first sees all additions that it counts."""


class _Kept(NamedTuple):
    """Lines of a series, and what they were made of."""

    form: str
    n_additions: int
    exemplars: Mapping[int, Exemplar]
    lines: str


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
        self._buckets: list[float] = self._upper.tolist()
        self._bounds = [*(str(float(b)) for b in buckets), "+Inf"]
        self._series: dict[tuple[str, ...], _Series] = {}
        self._exemplars: dict[tuple[str, ...], Mapping[int, Exemplar]] = {}
        """The latest of each bucket, by series."""
        self._kept: dict[tuple[str, ...], _Kept] = {}
        registry.register(self)

    def observe(self, labels: tuple[str, ...], values: NDArray[np.float64]) -> None:
        """Add values of shape (n,) to one series."""
        if len(values) == 1:
            self.observe_one(labels, float(values[0]))
            return
        positions = self._upper.searchsorted(values)
        series = self._of(labels)
        more = np.bincount(positions, minlength=len(self._upper)).tolist()
        series.counts = [a + b for a, b in zip(series.counts, more, strict=True)]
        series.total += float(values.sum())
        series.n_additions += 1

    def observe_one(self, labels: tuple[str, ...], value: float) -> None:
        """Add one value to one series."""
        series = self._of(labels)
        series.counts[bisect_left(self._buckets, value)] += 1
        series.total += value
        series.n_additions += 1

    def exemplify(self, labels: tuple[str, ...], value: float, trace_id: str, at_s: float) -> None:
        """Name the trace of a value that was added; shown in the OpenMetrics format alone.

        Args:
            labels: of the series.
            value: that was added.
            trace_id: 32 hexadecimal digits.
            at_s: seconds since 1970.
        """
        bucket = bisect_left(self._buckets, value)
        exemplar = Exemplar({"trace_id": trace_id}, value, at_s)
        self._exemplars[labels] = {**self._exemplars.get(labels, {}), bucket: exemplar}

    def _of(self, labels: tuple[str, ...]) -> _Series:
        series = self._series.get(labels)
        if series is None:
            series = self._series[labels] = _Series(len(self._upper))
        return series

    def describe(self) -> Iterable[WrittenFamily]:
        """The family without samples: the registry then need not collect to register."""
        return [WrittenFamily(self._name, self._documentation, "histogram", lambda _: (), list)]

    def collect(self) -> Iterable[WrittenFamily]:
        """The family with its samples."""
        return [
            WrittenFamily(
                self._name, self._documentation, "histogram", self._lines, self._make_samples
            )
        ]

    def _lines(self, is_openmetrics: bool) -> list[str]:
        return [
            self._lines_of(labels, series, is_openmetrics)
            for labels, series in list(self._series.items())
        ]

    def _lines_of(self, labels: tuple[str, ...], series: _Series, is_openmetrics: bool) -> str:
        """All lines of a series; as they were where nothing was added."""
        exemplars = self._exemplars.get(labels, _NONE) if is_openmetrics else _NONE
        kept = self._kept.get(labels)
        n_additions = series.n_additions
        if kept and kept.n_additions == n_additions and kept.exemplars is exemplars:
            return kept.lines
        cumulative = list(accumulate(series.counts))
        if cumulative[-1] < _PLAIN:
            texts = [f"{n}.0" for n in cumulative]
        else:
            texts = list(map(number_text, cumulative))
        count = texts[-1]
        for bucket, exemplar in exemplars.items():
            texts[bucket] += exemplar_text(exemplar)
        form = self._form(labels) if kept is None else kept.form
        lines = form % (*texts, count, number_text(series.total))
        self._kept[labels] = _Kept(form, n_additions, exemplars, lines)
        return lines

    def _form(self, labels: tuple[str, ...]) -> str:
        """The lines of a series with places for numbers. To make them takes most of a scrape."""
        starts = (line_start(*named) for named in self._named(labels))
        return "\n".join(start.replace("%", "%%") + "%s" for start in starts)

    def _make_samples(self) -> Iterable[Sample]:
        for labels, series in list(self._series.items()):
            cumulative = list(accumulate(series.counts))
            exemplars = self._exemplars.get(labels, _NONE)
            values = [*cumulative, cumulative[-1], series.total]
            for i, ((name, own), value) in enumerate(zip(self._named(labels), values, strict=True)):
                yield Sample(name, own, value, None, exemplars.get(i))

    def _named(self, labels: tuple[str, ...]) -> Iterable[tuple[str, dict[str, str]]]:
        """Names and labels of a series' samples: buckets, count, sum."""
        own = dict(zip(self._label_names, labels, strict=True))
        for bound in self._bounds:
            yield f"{self._name}_bucket", {**own, "le": bound}
        yield f"{self._name}_count", own
        yield f"{self._name}_sum", own
