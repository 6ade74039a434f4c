"""Shows how the demo starts: on a terminal as one screen, anywhere else in lines."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from rich.console import Console, RenderableType
from rich.live import Live

from ounce_services.demo.start_view import (
    STEPS,
    StartFrame,
    TrainingFrame,
    render_start,
    time_left,
)
from ounce_services.demo.trainings import Training

_FRAMES_PER_S = 8
_POLL_S = 0.1
_LINE_EVERY_S = 5.0


class StartScreen:
    """Context manager: shows the steps up to the first message."""

    def __init__(
        self, console: Console, trainings: Sequence[Training], reused: Sequence[Path]
    ) -> None:
        self._console = console
        self._trainings = trainings
        self._reused = tuple(map(str, reused))
        self._begun_s = time.monotonic()
        self._step = 0
        self._live = Live(
            console=console,
            screen=True,
            refresh_per_second=_FRAMES_PER_S,
            get_renderable=self._render,
        )

    def wait_for_trainings(self) -> None:
        """Wait until all are over.

        Raises:
            ChildError: one failed.
        """
        next_line_s = 0.0
        while not all(training.is_over for training in self._trainings):
            for training in self._trainings:
                training.follow()
            if not self._console.is_terminal and self._elapsed_s >= next_line_s:
                next_line_s = self._elapsed_s + _LINE_EVERY_S
                self._console.print(progress_line(self._frames()), highlight=False)
            time.sleep(_POLL_S)
        for training in self._trainings:
            training.follow()

    def go_on(self) -> None:
        """The next step begins."""
        self._step += 1
        if not self._console.is_terminal:
            self._console.print(STEPS[self._step], highlight=False)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start(refresh=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    @property
    def _elapsed_s(self) -> float:
        return time.monotonic() - self._begun_s

    def _frames(self) -> tuple[TrainingFrame, ...]:
        return tuple(TrainingFrame(t.task, t.progress, t.seconds_left) for t in self._trainings)

    def _render(self) -> RenderableType:
        return render_start(StartFrame(self._step, self._elapsed_s, self._frames(), self._reused))


def progress_line(trainings: Sequence[TrainingFrame]) -> str:
    """How far all trainings are, in one line."""
    return "training " + "; ".join(
        f"{training.task} {training.progress.share:.0%}, {time_left(training.seconds_left)}"
        if training.progress is not None
        else f"{training.task} starting"
        for training in trainings
    )
