"""Requests of one task that lanes are answering."""

import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ounce_edge.models.execution import Outcome
from ounce_edge.pipeline.answering import Job
from ounce_edge.pipeline.lanes import Lanes
from ounce_edge.pipeline.waiting import Taken


@dataclass(eq=False)
class _Flight:
    job: Job
    call: Future[Outcome]
    kept: NDArray[np.bool_]
    """Requests whose answer is still ours to give, shape (n,)."""


class Flights:
    """Groups of requests under way on lanes, which several tasks may share."""

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes
        self._flying: list[_Flight] = []
        self.departed_at_s = 0.0
        """When the latest group went to a lane, on the clock of `time.perf_counter`, seconds."""

    def __len__(self) -> int:
        """Requests, not groups."""
        return sum(len(flight.kept) for flight in self._flying)

    @property
    def taken(self) -> Sequence[Taken]:
        """What they hold."""
        return [flight.job.taken for flight in self._flying]

    @property
    def any_landed(self) -> bool:
        """Whether `land` would give something."""
        return any(flight.call.done() for flight in self._flying)

    def depart(self, job: Job, run: Callable[[], Outcome], takes_ms: float) -> None:
        """Have a free lane run a group."""
        kept = np.ones(len(job.taken.batch), dtype=bool)
        self.departed_at_s = time.perf_counter()
        self._flying.append(_Flight(job, self._lanes.start(run, takes_ms), kept))

    def land(self) -> list[tuple[Job, Outcome]]:
        """What was run meanwhile, each once.

        Raises:
            Exception: whatever a run raised; none is expected to.
        """
        landed = [flight for flight in self._flying if flight.call.done()]
        if not landed:
            return []
        self._flying = [flight for flight in self._flying if flight not in landed]
        return [(f.job, f.call.result().only(f.kept)) for f in landed]

    def drop(self, partitions: Collection[int]) -> int:
        """Forget requests of partitions that others own now; how many. What comes of them on their
        lane is not told."""
        n_dropped = 0
        for flight in self._flying:
            lost = flight.kept & np.isin(flight.job.taken.batch.partitions, list(partitions))
            flight.kept &= ~lost
            n_dropped += int(lost.sum())
        return n_dropped
