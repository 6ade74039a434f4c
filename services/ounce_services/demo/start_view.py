"""The view while the demo starts: trainings side by side, then the steps. For 80 columns by 24
lines and more."""

from collections.abc import Sequence
from dataclasses import dataclass

from ounce_schemas.training_progress import ModelProgress, ModelState, TrainingProgress
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from ounce_services.demo.widgets import bar

STEPS = (
    "Train small ladders, light and heavy models of each task: up to a minute, only once",
    "Start a Kafka broker and the worker, which measures every model on this machine",
    "Let devices send: each message is answered by the lightest model that will do",
)
_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_SPINS_PER_S = 8
_MARKS = {
    ModelState.WAITING: ("·", "dim"),
    ModelState.DONE: ("✔", "green"),
    ModelState.FAILED: ("✘", "bold red"),
}
_BAR_WIDTH = 8
_NAME_WIDTH = 19
"""As long as the longest name of the models that ship."""


@dataclass(frozen=True)
class TrainingFrame:
    """How far one training is."""

    task: str
    progress: TrainingProgress | None
    """None before its first line."""
    seconds_left: float | None
    """None where it can't be told yet."""


@dataclass(frozen=True)
class StartFrame:
    """What one frame shows."""

    step: int
    """Index into `STEPS` of the one under way."""
    elapsed_s: float
    trainings: Sequence[TrainingFrame]
    reused: Sequence[str]
    """Folders of ladders that were there."""


def render_start(frame: StartFrame) -> RenderableType:
    """One frame."""
    spinner = _SPINNER[int(frame.elapsed_s * _SPINS_PER_S) % len(_SPINNER)]
    parts: list[RenderableType] = [_header(frame), Text()]
    if frame.trainings:
        side_by_side = Table.grid(expand=True)
        for _ in frame.trainings:
            side_by_side.add_column(ratio=1)
        height = max(_lines(training) for training in frame.trainings)
        side_by_side.add_row(*(_training(t, spinner, height) for t in frame.trainings))
        parts += [side_by_side, Text()]
    parts.append(_steps(frame, spinner))
    return Group(*parts)


def time_left(seconds: float | None) -> str:
    """Time left in words; short of ten seconds by the second, then by five."""
    if seconds is None:
        return "estimating"
    rounded = round(seconds) if seconds < 10 else 5 * round(seconds / 5)
    return f"~{max(rounded, 1)} s left"


def _header(frame: StartFrame) -> Table:
    table = Table.grid(expand=True)
    table.add_column(no_wrap=True, overflow="ellipsis")
    table.add_column(justify="right", no_wrap=True)
    title = Text(" Ounce", style="bold")
    title.append(
        "  the lightest model that meets each deadline and accuracy floor", style="not bold"
    )
    table.add_row(title, Text(f"starting: {frame.elapsed_s:.0f} s ", style="bold"))
    return table


def _lines(training: TrainingFrame) -> int:
    """Two borders, the models, an empty line and the whole."""
    return 4 + (len(training.progress.models) if training.progress else 3)


def _training(training: TrainingFrame, spinner: str, height: int) -> Panel:
    table = Table.grid(padding=(0, 1))
    table.add_column(width=1)
    table.add_column(no_wrap=True, overflow="ellipsis", min_width=_NAME_WIDTH)
    table.add_column(width=_BAR_WIDTH, no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis")
    progress = training.progress
    if progress is None:
        table.add_row(spinner, "loading libraries and data", "", "")
        return _panel(training.task, table, height)
    for model in progress.models:
        table.add_row(*_model(model, spinner))
    table.add_row()
    whole = Text(bar(progress.share, _BAR_WIDTH), style="bold cyan")
    done = progress.share >= 1
    left = "ready" if done else time_left(training.seconds_left)
    table.add_row(
        Text("✔", style="green") if done else "", Text("whole ladder", style="bold"), whole, left
    )
    return _panel(training.task, table, height)


def _panel(task: str, content: RenderableType, height: int) -> Panel:
    title = Text(f" {task} ", style="bold")
    return Panel(content, title=title, title_align="left", padding=(0, 1), height=height)


def _model(model: ModelProgress, spinner: str) -> tuple[Text, Text, Text, Text]:
    mark, style = _MARKS.get(model.state, (spinner, "cyan"))
    under_way = model.state in (ModelState.TRAINING, ModelState.MEASURING)
    drawing = Text(bar(model.share if under_way else 0, _BAR_WIDTH), style="cyan")
    if model.state is ModelState.TRAINING:
        note = f"training {model.share:.0%}"
    elif model.state is ModelState.MEASURING:
        note = "exporting"
    elif model.accuracy is not None and model.ms_per_item is not None:
        drawing = Text(f"{model.ms_per_item:.3f} ms".rjust(_BAR_WIDTH))
        note = f"{100 * model.accuracy:.1f}% right"
    else:
        note = str(model.state)
    dim = "dim" if model.state is ModelState.WAITING else ""
    return Text(mark, style=style), Text(model.name, style=dim), drawing, Text(note, style=dim)


def _steps(frame: StartFrame, spinner: str) -> Panel:
    table = Table.grid(padding=(0, 1))
    for number, text in enumerate(STEPS):
        if number < frame.step:
            mark, style = Text("✔", style="green"), ""
        elif number == frame.step:
            mark, style = Text(spinner, style="cyan"), "bold"
        else:
            mark, style = Text("·", style="dim"), "dim"
        if number == 0 and not frame.trainings:
            text = f"Reuse the ladders in {', '.join(frame.reused)}"
        table.add_row(mark, Text(text, style=style))
    return Panel(table, title=" what happens ", title_align="left", padding=(0, 1))
