"""Counts by tenant, with a bound on how many tenants there are.

A tenant is what a sender writes. The first few, or those that are named, have series of their own.
"""

from collections.abc import Collection

from ounce_edge.pipeline.reports import GroupReport
from ounce_edge.pipeline.tenants import TenantShare
from ounce_edge.telemetry.instruments import Instruments
from ounce_edge.telemetry.values import Value

NOBODY, OTHERS = "(none)", "(other)"
"""Labels of requests without a tenant, and of those of all further tenants."""
FIRST_SEEN = 20
"""Tenants that have series of their own where none is named."""
MOST_NAMED = 100
MOST_NAME_CHARS = 100

_Series = tuple[Value, Value, Value, Value]
"""Predictions, late ones, those under their floor, dead letters."""


class TenantCounts:
    """Counts what became of each tenant's requests.

    Args:
        to: the metrics.
        named: tenants that have series of their own; none: the first that are seen.
    """

    def __init__(self, to: Instruments, named: Collection[str] = ()) -> None:
        self._to = to
        self._labels: dict[bytes | None, str] = {
            None: NOBODY,
            **{name.encode(): name for name in named},
        }
        self._n_free = 0 if named else FIRST_SEEN
        self._series: dict[tuple[str, str], _Series] = {}

    def describe(self, task: str) -> None:
        """Show the series of a task that are known before they count."""
        for label in [*self._labels.values(), OTHERS]:
            self._of(task, label)

    def count(self, task: str, group: GroupReport) -> None:
        """Count a group of answers."""
        shares = group.tenants or (
            TenantShare(None, group.n, group.deadline_misses, group.floor_misses),
        )
        for tenant, n, late, under in shares:
            predictions, deadline_misses, floor_misses, _ = self._of(task, self._label(tenant))
            predictions.inc(n)
            if late:
                deadline_misses.inc(late)
            if under:
                floor_misses.inc(under)

    def count_dead_letter(self, task: str, tenant: bytes | None) -> None:
        """Count one."""
        self._of(task, self._label(tenant))[3].inc()

    def _label(self, tenant: bytes | None) -> str:
        label = self._labels.get(tenant)
        if label is not None or tenant is None:
            return label or NOBODY
        if not self._n_free or len(tenant) > MOST_NAME_CHARS:
            return OTHERS
        try:
            label = tenant.decode()
        except UnicodeDecodeError:
            return OTHERS
        self._n_free -= 1
        self._labels[tenant] = label
        return label

    def _of(self, task: str, label: str) -> _Series:
        series = self._series.get((task, label))
        if series is None:
            to = self._to
            series = self._series[task, label] = (
                to.tenant_predictions.labels(task, label),
                to.tenant_deadline_misses.labels(task, label),
                to.tenant_floor_misses.labels(task, label),
                to.tenant_dead_letters.labels(task, label),
            )
        return series
