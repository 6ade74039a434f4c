"""Counters and gauges that are cheap to add to and to show.

A series keeps its line of the page, and writes it anew only where its value has changed.
"""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

from prometheus_client import CollectorRegistry
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from ounce_edge.telemetry.text_format import line_start, number_text
from ounce_edge.telemetry.written import WrittenFamily


class Value:
    """One series. Its methods may be called on any thread.

    Args:
        name: of its sample.
        labels: of its sample.
        is_counter: whether it may only grow.
    """

    __slots__ = ("_is_counter", "_kept", "_lock", "_read", "_start", "labels", "value")

    def __init__(self, name: str, labels: dict[str, str], is_counter: bool) -> None:
        self.labels = labels
        self.value = 0.0
        self._is_counter = is_counter
        self._lock = threading.Lock()
        self._read: Callable[[], float] | None = None
        self._start = line_start(name, labels)
        self._kept: tuple[float | None, str] = (None, "")
        """A value, and its line; one assignment, since two scrapes may come at once."""

    def inc(self, amount: float = 1.0) -> None:
        """Add to it.

        Raises:
            ValueError: a counter would fall.
        """
        if amount < 0 and self._is_counter:
            raise ValueError(f"{self._start.strip()} is a counter and can't take {amount}")
        with self._lock:
            self.value += amount

    def set(self, value: float) -> None:
        """Be this from now on."""
        self.value = float(value)

    def set_function(self, read: Callable[[], float]) -> None:
        """Be what this returns whenever the page is asked for."""
        self._read = read

    def now(self) -> float:
        """Its value at this moment."""
        if self._read is not None:
            self.value = float(self._read())
        return self.value

    def line(self) -> str:
        """Its line of the page."""
        value = self.now()
        shown, line = self._kept
        if value != shown:
            line = self._start + number_text(value)
            self._kept = value, line
        return line


class Values(Collector):
    """A counter or gauge with its series.

    Args:
        name: without a counter's suffix.
        documentation: its help text.
        label_names: of its series; with none it has one series from the start.
        registry: that shows it.
        kind: what it is.
    """

    def __init__(
        self,
        name: str,
        documentation: str,
        label_names: Sequence[str],
        registry: CollectorRegistry,
        kind: Literal["counter", "gauge"],
    ) -> None:
        self._name, self._documentation, self._kind = name, documentation, kind
        self._sample_name = f"{name}_total" if kind == "counter" else name
        self._label_names = tuple(label_names)
        self._series: dict[tuple[str, ...], Value] = {}
        registry.register(self)
        if not label_names:
            self.labels()

    def labels(self, *values: str) -> Value:
        """The series with these values of the labels.

        Raises:
            ValueError: there are more or fewer labels.
        """
        found = self._series.get(values)
        if found is not None:
            return found
        labels = dict(zip(self._label_names, map(str, values), strict=True))
        made = Value(self._sample_name, labels, self._kind == "counter")
        return self._series.setdefault(tuple(labels.values()), made)

    def inc(self, amount: float = 1.0) -> None:
        """Add to the only series."""
        self.labels().inc(amount)

    def set(self, value: float) -> None:
        """Set the only series."""
        self.labels().set(value)

    def set_function(self, read: Callable[[], float]) -> None:
        """Have the only series be what this returns whenever the page is asked for."""
        self.labels().set_function(read)

    def remove(self, *values: str) -> None:
        """Show a series no more."""
        self._series.pop(values, None)

    def replace(self, values: Mapping[tuple[str, ...], float]) -> None:
        """Show these values, by their labels, and no other series."""
        for labels, value in values.items():
            self.labels(*labels).set(value)
        for labels in [labels for labels in self._series if labels not in values]:
            self._series.pop(labels, None)

    def describe(self) -> Iterable[WrittenFamily]:
        """The family without samples: the registry then need not collect to register."""
        return [WrittenFamily(self._name, self._documentation, self._kind, lambda _: (), list)]

    def collect(self) -> Iterable[WrittenFamily]:
        """The family with its series."""
        return [
            WrittenFamily(
                self._name, self._documentation, self._kind, self._lines, self._make_samples
            )
        ]

    def _lines(self, is_openmetrics: bool) -> list[str]:
        return [series.line() for series in list(self._series.values())]

    def _make_samples(self) -> list[Sample]:
        series = list(self._series.values())
        return [Sample(self._sample_name, each.labels, each.now()) for each in series]
