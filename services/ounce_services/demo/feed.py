"""Following the report file that the devices write."""

from collections import deque
from pathlib import Path

import msgspec

from ounce_services.devices.report import FleetReport

HISTORY = 1000
"""Reports kept for the sparkline: more than any terminal is wide."""


class ReportFeed:
    """The newest report, and the rates of those before."""

    def __init__(self, path: Path) -> None:
        self.latest: FleetReport | None = None
        self.sent_per_s: deque[float] = deque(maxlen=HISTORY)
        self._path = path
        self._position = 0
        self._decode = msgspec.json.Decoder(FleetReport).decode

    def follow(self) -> bool:
        """Read the lines that were completed since the last call; says whether there were any."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._position)
                lines = file.read().splitlines(keepends=True)
        except FileNotFoundError:
            return False
        complete = [line for line in lines if line.endswith(b"\n")]
        for line in complete:
            self._position += len(line)
            self.latest = self._decode(line)
            self.sent_per_s.append(sum(t.sent_per_s for t in self.latest.tasks.values()))
        return bool(complete)
