"""How many more records may wait."""

from ounce_edge.telemetry.metrics import Metrics
from ounce_edge.worker.serving.tasks import Tasks
from ounce_edge.worker.settings.worker import WorkerSettings


class Room:
    """The room for requests that wait, in number and bytes, which all tasks share.

    Once it is full nothing is taken until an eighth of it is free. Where all that waits is late,
    half of it has to be free: small polls are dear, and nobody waits for them.

    Args:
        settings: of the worker.
        tasks: what waits.
        metrics: counts how often it is full.
    """

    def __init__(self, settings: WorkerSettings, tasks: Tasks, metrics: Metrics) -> None:
        self._most = settings.max_waiting
        self._most_bytes = settings.max_waiting_mb * 1_000_000
        self._tasks = tasks
        self._metrics = metrics
        self.is_full = False
        """As of the last look."""
        self.each = 0.0
        """Share of the room that each request takes, as of the last look."""

    def look(self, n_untouched: int) -> int:
        """Records for which there is room now; 0 while it is full.

        Args:
            n_untouched: records that take room, beside what the tasks have.
        """
        n_open = self._tasks.n_open + n_untouched
        filled = self._tasks.n_bytes / self._most_bytes
        left = self._most - n_open if filled < 1.0 else 0
        self.each = max(1.0 / self._most, filled / max(n_open, 1))
        was_full = self.is_full
        least = self._most // (2 if was_full and self._tasks.all_late else 8)
        self.is_full = left < max(least, 1)
        if self.is_full and not was_full:
            self._metrics.count_pause()
        return 0 if self.is_full else left
