"""Requests of one task that lanes are answering."""

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ounce_edge.models.execution import Outcome
from ounce_edge.pipeline.job import Job
from ounce_edge.pipeline.lanes import Lanes
from ounce_edge.pipeline.waiting import Taken


@dataclass(eq=False)
class _Call:
    job: Job
    future: Future[Outcome]
    kept: NDArray[np.bool_]
    """Requests whose answer is still ours to give, shape (n,)."""


class InFlight:
    """Groups of requests under way on lanes, which several tasks may share.

    Args:
        lanes: make the calls.
        steady: seconds on a clock that only goes forward.
    """

    def __init__(self, lanes: Lanes, steady: Callable[[], float]) -> None:
        self._lanes = lanes
        self._steady = steady
        self._calls: list[_Call] = []
        self.started_at_s = 0.0
        """When the latest group went to a lane, on the steady clock."""

    def __len__(self) -> int:
        """Requests, not groups."""
        return sum(len(call.kept) for call in self._calls)

    @property
    def taken(self) -> Sequence[Taken]:
        """What they hold."""
        return [call.job.taken for call in self._calls]

    @property
    def any_ended(self) -> bool:
        """Whether `take_ended` would give something."""
        return any(call.future.done() for call in self._calls)

    def start(self, job: Job, run: Callable[[], Outcome], takes_ms: float) -> None:
        """Have a free lane run a group."""
        kept = np.ones(len(job.taken.batch), dtype=bool)
        self.started_at_s = self._steady()
        self._calls.append(_Call(job, self._lanes.start(run, takes_ms), kept))

    def take_ended(self) -> list[tuple[Job, Outcome]]:
        """What was run meanwhile, each once.

        Raises:
            Exception: whatever a run raised; none is expected to.
        """
        ended = [call for call in self._calls if call.future.done()]
        if not ended:
            return []
        self._calls = [call for call in self._calls if call not in ended]
        return [(call.job, call.future.result().only(call.kept)) for call in ended]

    def drop(self, partitions: Collection[int]) -> int:
        """Forget requests of partitions that others own now; how many. What comes of them on their
        lane is not told."""
        n_dropped = 0
        for call in self._calls:
            lost = call.kept & np.isin(call.job.taken.batch.partitions, list(partitions))
            call.kept &= ~lost
            for message in call.job.taken.batch.many_rows(np.flatnonzero(lost)):
                message.abandon()
            n_dropped += int(lost.sum())
        return n_dropped
