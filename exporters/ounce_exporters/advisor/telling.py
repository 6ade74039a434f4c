"""Advice on what the options name: the console follows the race, and two files hold the advice."""

import time
from pathlib import Path

from ounce_schemas.device import DeviceCard
from ounce_schemas.errors import ArtifactError
from ounce_schemas.whole_file import write_whole
from ounce_schemas.wording import shell_word
from rich.console import Console

from ounce_exporters.advisor.advising import Asked, advise, check_rows
from ounce_exporters.advisor.page import render
from ounce_exporters.advisor.settings import AdviseSettings, options_of
from ounce_exporters.advisor.summary import arms_table, gains_nothing, lines
from ounce_exporters.ladder.recipe import TaskData
from ounce_exporters.progress.console import say, wide_console
from ounce_exporters.progress.heartbeat import EVERY_S
from ounce_exporters.progress.reading_reporter import ReadingReporter
from ounce_exporters.tasks.table.task import load, task_name


def tell_advice(settings: AdviseSettings, path: Path, device: DeviceCard | None) -> None:
    """Advise, and write and show what came of it.

    Args:
        settings: options that go together.
        path: the data.
        device: the machine to advise for; None is this one.
    """
    console = wide_console()
    data, notices = _load(settings, path, console)
    check_rows(data)
    say(console, f"Race on {len(data.train):,} items; Ctrl-C ends it and gives the advice so far")
    asked = Asked(
        limits=settings.limits,
        budget_s=settings.budget,
        seed=settings.seed,
        balanced=settings.class_weights == "balanced",
        options=options_of(settings),
        notices=notices,
        device=device,
    )
    advised = advise(data, asked, _Told(console).tell)
    advice = advised.advice
    page = settings.out.with_suffix(".html")
    _write(settings.out, advice.model_dump_json(indent=2, exclude_none=True) + "\n")
    _write(page, render(advice, data, advised.raced.held_out, advised.exported))
    console.print(arms_table(advice))
    for line in lines(advice):
        say(console, line)
    say(console, f"All figures and plots: {page}")
    build = f"; build it with: ounce train --advice {shell_word(settings.out)}"
    say(console, f"Written to {settings.out}{'' if gains_nothing(advice.decision) else build}")


def _load(settings: AdviseSettings, path: Path, console: Console) -> tuple[TaskData, list[str]]:
    notices: list[str] = []
    with ReadingReporter(console, path) as reporter:

        def notice(line: str) -> None:
            notices.append(line)
            reporter.notice(line)

        name = settings.task or task_name(path)
        data = load(path, settings.target, name, settings.table, settings.seed, notice)
    settings.check_weights(data.spec)
    return data, notices


def _write(path: Path, text: str) -> None:
    try:
        write_whole(path, text.encode())
    except OSError as e:
        raise ArtifactError(f"{path}: can't be written: {e.strerror or e}") from e


class _Told:
    """A line every few seconds, with the time that is left."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._begun_s = self._last_s = time.monotonic()
        self._ended = False

    def tell(self, what: str, done: float) -> None:
        now_s = time.monotonic()
        ends = done >= 1 and not self._ended
        if now_s - self._last_s < EVERY_S and not ends:
            return
        self._last_s, self._ended = now_s, done >= 1
        left = ""
        if 0 < done < 1:
            left = f", about {(now_s - self._begun_s) * (1 - done) / done:.0f} s left"
        say(self._console, f"Race: {what}{left}")
