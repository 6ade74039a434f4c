"""Workers of one group that serve a task on a test's broker."""

from pathlib import Path

from tests.support.process.worker import Worker


class Workers:
    """Starts them.

    Args:
        servers: Kafka bootstrap servers.
        models: folder with the task's ladder.
        folder: for their logs.
        group: of their consumers.
        task: that they serve.
    """

    def __init__(
        self, servers: str, models: Path, folder: Path, group: str, task: str = "digits"
    ) -> None:
        self._servers, self._models, self._folder, self._task = servers, models, folder, task
        self.group = group

    def __call__(self, *options: str, log: str = "log") -> Worker:
        """One more, with these options; those with the same name of a log append to it."""
        usual = [f"--group={self.group}", *options]
        return Worker(self._servers, self._models, self._folder / log, usual, task=self._task)
