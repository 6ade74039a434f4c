"""`ounce train --tune`: a search for a table's models, and what a person sees of it."""

import math
import time
from collections.abc import Collection

from ounce_schemas.wording import counted
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ounce_exporters.ladder.recipe import Recipe, TaskData
from ounce_exporters.progress.console import say
from ounce_exporters.progress.heartbeat import EVERY_S
from ounce_exporters.training.tuning import Family, Trial, front, hold_one_fold, search


def tune_ladder(
    data: TaskData,
    families: Collection[Family],
    n_trials: int,
    seed: int,
    console: Console,
    ends_s: float = math.inf,
) -> tuple[TaskData, list[Recipe]]:
    """Search, and return the data as the found recipes are to be trained on it.

    Args:
        data: the task and its splits.
        families: to choose from.
        n_trials: proposals in all.
        seed: of the search.
        console: told of progress.
        ends_s: after this no trial begins, by `time.monotonic`.

    Raises:
        ExportError: no trial succeeded.
    """

    def too_late() -> str | None:
        return "--time-limit" if time.monotonic() > ends_s else None

    held = hold_one_fold(data)
    if n_trials > len(families) and not any(family.space for family in families):
        say(console, "Tuning: these models have no options to search; each is tried once")
        n_trials = len(families)
    say(
        console, f"Tuning: {counted(n_trials, 'trial')}; Ctrl-C ends them and keeps what they found"
    )
    with _Report(console, n_trials) as report:
        tuned = search(held, list(families), n_trials, seed, report.tell, too_late)
    how = "" if tuned.ended_by is None else f", ended early by {tuned.ended_by}"
    names = ", ".join(recipe.name for recipe in tuned.recipes)
    say(console, f"Tuning: {counted(tuned.n_trials, 'trial')}{how}; the ladder is {names}")
    return held, list(tuned.recipes)


class _Report:
    """A bar on a terminal, a line every few seconds elsewhere."""

    def __init__(self, console: Console, n_trials: int) -> None:
        self._console = console
        self._n_trials = n_trials
        self._trials: list[Trial] = []
        self._begun_s = self._last_line_s = time.monotonic()
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("tuning", total=1.0)

    def __enter__(self) -> "_Report":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def tell(self, done: float, trial: Trial | None) -> None:
        """The share that is done, and a trial that has ended."""
        if trial is not None:
            self._trials.append(trial)
        text = f"tuning: {len(self._trials)} of {counted(self._n_trials, 'trial')}"
        if self._trials:
            least = min(t.error for t in self._trials)
            text += f", {len(front(self._trials))} on the front, least error {least:.4f}"
        self._bar.update(self._task, completed=done, description=text)
        now_s = time.monotonic()
        if self._console.is_terminal or now_s - self._last_line_s < EVERY_S:
            return
        self._last_line_s = now_s
        left_s = (now_s - self._begun_s) * (1 - done) / max(done, 1e-9)
        say(self._console, f"{text}, about {left_s:.0f} s left")
