"""INFaaS."""

from collections.abc import Sequence

import numpy as np

from benchmarks.routing.overhead import Overhead
from benchmarks.routing.rules.base import Profiled, Queue, Work
from benchmarks.routing.tables import Table


class Infaas(Profiled):
    """INFaaS (Romero et al., "INFaaS: Automated Model-less Inference Serving", ATC 2021): of the
    variants that are accurate enough for a message, the cheapest whose profiled latency at the
    batch fits its deadline; where none is fast enough, the fastest of them; where none is accurate
    enough, the most accurate.

    Profiles are offline ones, as there. The batch that a message would join is what waits of its
    floor, up to a slice. Scaling to more machines does not apply.
    """

    def __init__(self, table: Table, overhead: Overhead) -> None:
        super().__init__(table, overhead)
        self._best = max(self.singles, key=lambda p: self.low[p])

    def choose(self, now_ms: float, queue: Queue) -> Sequence[Work]:
        left_ms = queue.deadline_ms - now_ms
        plan_of = np.empty(len(queue), dtype=np.intp)
        floors, place, counts = np.unique(queue.floor, return_inverse=True, return_counts=True)
        for k, floor in enumerate(floors.tolist()):
            n = min(int(counts[k]), 64)
            able = [p for p in self.singles if self.low[p] >= floor] or [self._best]
            able.sort(key=lambda p: self.cost_ms(p, n))
            mine = np.flatnonzero(place == k)
            finish_ms = np.array([self.finish_ms(p, n) for p in able])
            fits = finish_ms[None, :] <= left_ms[mine][:, None]
            chosen = np.where(fits.any(axis=1), fits.argmax(axis=1), finish_ms.argmin())
            plan_of[mine] = np.array(able)[chosen]
        return self.by_deadline(now_ms, queue, plan_of)
