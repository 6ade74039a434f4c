"""What a person sees while a table is read and understood."""

import time
from pathlib import Path
from typing import Self

from rich.console import Console

from ounce_exporters.progress.heartbeat import EVERY_S, Heartbeat, in_words

_SECONDS_A_BYTE = 3e-7
"""Of a text file, on one core of 2020: a hundred megabytes take half a minute."""


class ReadingReporter:
    """Says every few seconds that a table is being read, unless a notice has just been shown.

    Args:
        console: where to say it.
        path: the table.
    """

    def __init__(self, console: Console, path: Path) -> None:
        self._console = console
        self._name = path.name
        self._doing = "reading"
        size_bytes = path.stat().st_size if path.is_file() else 0
        self._expected_s = size_bytes * _SECONDS_A_BYTE
        self._begun_s = self._shown_s = time.monotonic()
        self._heartbeat = Heartbeat(self._beat, 1.0)

    def choosing(self) -> None:
        """The table is read; now models are chosen for it."""
        self._doing, self._expected_s = "choosing models for", 0.0

    def notice(self, line: str) -> None:
        """Show one line about the table."""
        self._show(f"Note: {line}")

    def __enter__(self) -> Self:
        self._heartbeat.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._heartbeat.__exit__(*error)

    def _beat(self) -> None:
        now = time.monotonic()
        if now - self._shown_s < EVERY_S - 1:
            return
        so_far_s = now - self._begun_s
        left_s = self._expected_s - so_far_s
        left = f", {in_words(left_s)}" if left_s > 1 else ""
        self._show(f"{self._doing} {self._name}: {so_far_s:.0f} s{left}")

    def _show(self, line: str) -> None:
        self._shown_s = time.monotonic()
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)
