"""Cascades that know no deadline."""

import numpy as np

from benchmarks.routing.overhead import Overhead
from benchmarks.routing.rules.single import BATCH, BestFixed
from benchmarks.routing.tables import Table


class CascadeWithoutDeadlines(BestFixed):
    """For each floor the cheapest plan, cascades included, whose lower bound meets it, chosen
    offline and never cut short: what CascadeServe (Lebedev et al., 2024) and agreement-based
    cascades (Kolawole et al., TMLR 2025) come to on one server, with the thresholds of
    `plans.json`. Batches as `BestFixed`."""

    def __init__(self, table: Table, overhead: Overhead) -> None:
        super().__init__(table, overhead)
        plans = np.arange(len(table.plans)).tolist()
        self._plans = sorted(plans, key=lambda p: self.cost_ms(p, BATCH))
