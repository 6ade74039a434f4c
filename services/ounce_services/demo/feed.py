"""Following the files that other programs append lines of JSON to."""

from collections import deque
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from ounce_services.devices.report import FleetReport

HISTORY = 1000
"""Reports kept for the sparkline: more than any terminal is wide."""

T = TypeVar("T")


class LineFeed(Generic[T]):
    """Documents of one type, a line each, as they are completed."""

    def __init__(self, path: Path, kind: type[T]) -> None:
        self._path = path
        self._position = 0
        self._decode = msgspec.json.Decoder(kind).decode

    def read(self) -> list[T]:
        """Those that were completed since the last call; none where there is no file yet."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._position)
                lines = file.read().splitlines(keepends=True)
        except FileNotFoundError:
            return []
        complete = [line for line in lines if line.endswith(b"\n")]
        self._position += sum(map(len, complete))
        return [self._decode(line) for line in complete]


class ReportFeed:
    """The devices' newest report, and the rates of those before."""

    def __init__(self, path: Path) -> None:
        self.latest: FleetReport | None = None
        self.sent_per_s: deque[float] = deque(maxlen=HISTORY)
        self._lines = LineFeed(path, FleetReport)

    def follow(self) -> bool:
        """Read the lines that were completed since the last call; says whether there were any."""
        reports = self._lines.read()
        for report in reports:
            self.latest = report
            self.sent_per_s.append(sum(t.sent_per_s for t in report.tasks.values()))
        return bool(reports)
