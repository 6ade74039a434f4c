"""`ounce advise`: which models to build of data, under which limits, and why."""

import time
from pathlib import Path
from typing import Any

import click
from ounce_edge.evidence.decision_reader import read_decisions
from ounce_schemas.command import grouped_command, make_settings, settings_options
from ounce_schemas.documents import read_device
from ounce_schemas.errors import ArtifactError
from ounce_schemas.wording import counted, shell_word
from rich.console import Console

from ounce_exporters.advisor.advised import options_of
from ounce_exporters.advisor.advising import Asked, advise, check_rows
from ounce_exporters.advisor.observing import next_training, observe
from ounce_exporters.advisor.page import render
from ounce_exporters.advisor.settings import ADVISE_OPTIONS, AdviseSettings
from ounce_exporters.advisor.summary import arms_table, lines
from ounce_exporters.choosing import UNLABELLED
from ounce_exporters.export.artifacts import write_file
from ounce_exporters.heartbeat import EVERY_S
from ounce_exporters.reading_reporter import ReadingReporter
from ounce_exporters.recipe import TaskData
from ounce_exporters.reporting import say, wide_console


@click.command(name="advise", cls=grouped_command(ADVISE_OPTIONS))
@settings_options(AdviseSettings)
def command(**values: Any) -> None:
    """Say which models to build of a table, texts, images or sequences, and why.

    \b
    Kinds of models race on growing parts of the rows. Ctrl-C gives the advice so far.
    Exit code 0: there is advice, also "neither yet"; 1: the data can't be used; 2: wrong options.

    \b
    Examples:
      ounce advise --data rooms.csv --target Occupancy
      ounce advise --data rooms.csv --target Occupancy --max-latency-ms 0.05 --max-size-mb 1
      ounce advise --data rooms.csv --target Occupancy --device pi.json --max-latency-ms 0.2
      ounce advise --data photos
      ounce advise --data engines.csv --unit engine --time cycle --window 30 --remaining 125
      ounce advise --data vibration.csv --kind anomaly
      ounce train --advice advice.json
      ounce advise --observe decisions --task rooms
    """
    settings = make_settings(AdviseSettings, values)
    if settings.observe is not None:
        _observe(settings.observe, settings.task)
        return
    if settings.data is None:
        raise click.UsageError("--data FILE is needed")
    if settings.target is None and settings.kind not in UNLABELLED and settings.needs_target:
        raise click.UsageError("--data needs --target COLUMN, or --kind anomaly or clusters")
    device = None if settings.device is None else read_device(settings.device)
    console = wide_console()
    data, notices = _load(settings, settings.data, settings.target, console)
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
    build = f"ounce train --advice {shell_word(settings.out)}"
    say(console, f"Written to {settings.out}; build it with: {build}")


def _observe(folder: Path, task: str | None) -> None:
    if task is None:
        raise click.UsageError("--observe needs --task NAME")
    found = observe(read_decisions(folder, task))
    for name, n in found.answers.items():
        sure = f"sure of {found.sure[name]:.4f}" if name in found.sure else "in service no more"
        click.echo(f"{name}: {n} of {counted(found.n, 'answer')}, {sure}")
    for line in next_training(found):
        click.echo(f"Next: {line}")


def _load(
    settings: AdviseSettings, path: Path, target: str | None, console: Console
) -> tuple[TaskData, list[str]]:
    # Imported here: `--help` needs neither pandas nor pyarrow.
    from ounce_exporters.tasks.table.task import load, task_name

    notices: list[str] = []
    with ReadingReporter(console, path) as reporter:

        def notice(line: str) -> None:
            notices.append(line)
            reporter.notice(line)

        name = settings.task or task_name(path)
        data = load(path, target, name, settings.table, settings.seed, notice)
    settings.check_weights(data.spec)
    return data, notices


def _write(path: Path, text: str) -> None:
    try:
        write_file(path, lambda scratch: scratch.write_text(text, encoding="utf-8"))
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
