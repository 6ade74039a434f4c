"""Workers of one group that serve digits on a test's broker."""

from pathlib import Path

from tests.support.process.worker import Worker


class Workers:
    """Starts them.

    Args:
        servers: Kafka bootstrap servers.
        models: folder with the digits ladder.
        folder: for their logs.
        group: of their consumers.
    """

    def __init__(self, servers: str, models: Path, folder: Path, group: str) -> None:
        self._servers, self._models, self._folder = servers, models, folder
        self.group = group

    def __call__(self, *options: str, log: str = "log") -> Worker:
        """One more, with these options; those with the same name of a log append to it."""
        usual = [f"--group={self.group}", *options]
        return Worker(self._servers, self._models, self._folder / log, usual)
