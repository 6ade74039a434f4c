"""SlackFit."""

from collections.abc import Sequence

import numpy as np

from benchmarks.routing.overhead import Overhead
from benchmarks.routing.rules.base import SLICE_MS, Profiled, Queue, Work
from benchmarks.routing.tables import SIZES, Table

BUCKETS = 32


class SlackFit(Profiled):
    """SlackFit of SuperServe (Khare et al., NSDI 2025): offline, every pair of model and batch size
    goes into a bucket of predicted time; online, the time left of the most urgent message picks the
    bucket, and the bucket its pair of the largest batch, of those the most accurate. Much time left
    means accuracy, little means a light model and throughput.

    Only Pareto-optimal models take part, as there. Buckets are even on a logarithmic scale, from
    the shortest call to the longest slice, because the models' times span three powers of ten. A
    batch larger than the queue counts as the queue. The paper knows no floor per message: each
    batch is of the earliest deadlines, whatever their floors.
    """

    def __init__(self, table: Table, overhead: Overhead) -> None:
        super().__init__(table, overhead)
        best = -1.0
        models = []
        for p in sorted(self.singles, key=lambda p: self.cost_ms(p, 64)):
            if self.value[p] > best:
                best = float(self.value[p])
                models.append(p)
        pairs = [(self.finish_ms(p, n), n, float(self.value[p]), p) for p in models for n in SIZES]
        shortest = min(pair[0] for pair in pairs)
        self._edges = np.geomspace(shortest, max(SLICE_MS, 2.0 * shortest), BUCKETS)
        self._buckets: list[list[tuple[float, int, float, int]]] = [[] for _ in self._edges]
        for pair in pairs:
            k = int(np.searchsorted(self._edges, pair[0]))
            if k < BUCKETS:
                self._buckets[k].append(pair)

    def choose(self, now_ms: float, queue: Queue) -> Sequence[Work]:
        left_ms = queue.deadline_ms - now_ms
        hopeful = left_ms >= self._edges[0]
        order = np.lexsort((queue.deadline_ms, ~hopeful))
        works: list[Work] = []
        spent_ms, done = 0.0, 0
        while done < len(order) and spent_ms < SLICE_MS:
            slack_ms = min(float(left_ms[order[done]]), SLICE_MS) - spent_ms
            plan, n = self._pick(slack_ms, len(order) - done)
            if works and slack_ms < self._edges[0]:
                break
            n = min(n, len(order) - done)
            works.append(Work(plan, np.sort(order[done : done + n])))
            done += n
            spent_ms += self.finish_ms(plan, n)
        return works

    def _pick(self, slack_ms: float, waiting: int) -> tuple[int, int]:
        """Model and batch size for the time left and the number of messages that wait."""
        k = int(np.searchsorted(self._edges, slack_ms, side="right")) - 1
        while k >= 0:
            if self._buckets[k]:
                pair = max(self._buckets[k], key=lambda pair: (min(pair[1], waiting), pair[2]))
                return pair[3], pair[1]
            k -= 1
        first = next(bucket for bucket in self._buckets if bucket)
        fastest = min(first)
        return fastest[3], max(SIZES)
