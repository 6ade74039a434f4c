"""Without a terminal a person reads a line every few seconds, also while a library is silent."""

import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from ounce_exporters.ladder.recipe import FittedModel, Progress, Recipe, TaskData
from ounce_exporters.progress import console as reporting
from ounce_exporters.progress import reading_reporter
from ounce_exporters.progress.console import ConsoleReporter
from ounce_exporters.progress.heartbeat import Heartbeat
from ounce_exporters.progress.reading_reporter import ReadingReporter
from rich.console import Console

from tests.support.process.wait import wait_until


def unused(data: TaskData, seed: int, progress: Progress) -> FittedModel:
    raise AssertionError("nothing is trained here")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    def quick(beat: Callable[[], None], every_s: float) -> Heartbeat:
        return Heartbeat(beat, every_s / 1000)

    for module in (reading_reporter, reporting):
        monkeypatch.setattr(module, "Heartbeat", quick)
        monkeypatch.setattr(module, "EVERY_S", 1.0)


def wait_for(file: io.StringIO, text: str) -> None:
    """Return once it is told, after however many seconds: `# s` stands for them."""
    pattern = re.compile(re.escape(text).replace(re.escape("# s"), r"\d+ s"))
    wait_until(lambda: pattern.search(file.getvalue()) is not None, file.getvalue)


def test_a_silent_fit() -> None:
    file = io.StringIO()
    quiet, loud = (Recipe(name, "classical", name, unused) for name in ("quiet", "loud"))
    with ConsoleReporter(Console(file=file, width=200), [quiet, loud]) as reporter:
        reporter.training(quiet)
        wait_for(file, "quiet: training after # s\n")
        reporter.training(quiet)(0.5)
        wait_for(file, "quiet: training, 45% after # s; about")
        reporter.exporting(quiet)
        wait_for(file, "quiet: exporting and measuring, 90%")
        reporter.skipped(loud)
        reporter.planning()
        wait_for(file, "planning cascades")
    assert "loud: left out: no time is left for it (--time-limit)" in file.getvalue()


def test_a_table_that_is_read(tmp_path: Path) -> None:
    path = tmp_path / "rooms.csv"
    path.write_bytes(b"x" * 100)
    file = io.StringIO()
    with ReadingReporter(Console(file=file, width=200), path) as reporter:
        wait_for(file, "reading rooms.csv: # s\n")
        reporter.notice("two columns are one")
        reporter.choosing()
        wait_for(file, "choosing models for rooms.csv: # s\n")
    assert "Note: two columns are one\n" in file.getvalue()
