"""A family of metrics that writes its own lines."""

from collections.abc import Callable, Iterable
from functools import cached_property

from prometheus_client import Metric, disable_created_metrics
from prometheus_client.samples import Sample

# A second series for each counter, which nobody here reads.
disable_created_metrics()  # type: ignore[no-untyped-call]


class WrittenFamily(Metric):
    """A family whose lines are at hand. Its samples are made where another writer asks.

    Args:
        name: without a counter's suffix.
        documentation: its help text.
        kind: counter, gauge or histogram.
        lines: writes all lines of samples; is told whether they are for OpenMetrics.
        make_samples: makes the samples.
    """

    def __init__(
        self,
        name: str,
        documentation: str,
        kind: str,
        lines: Callable[[bool], Iterable[str]],
        make_samples: Callable[[], Iterable[Sample]],
    ) -> None:
        super().__init__(name, documentation, kind)
        del self.samples
        self.lines = lines
        self._make_samples = make_samples

    @cached_property
    def samples(self) -> list[Sample]:  # type: ignore[override]
        """As of any family."""
        return list(self._make_samples())
