"""The live view: one frame from one report. Made for 100 columns by 32 lines and more."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.layout import Layout
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from ounce_services.demo.widgets import bar, large, sparkline
from ounce_services.devices.report import FleetReport, FloorReport, Phase, TaskReport, Verdict
from ounce_services.devices.summary import VERDICT_STYLE, share

OURS, BEST, ALARM = "bold green", "magenta", "bold red"
_MODEL_STYLES = ("green", "cyan", "blue", "yellow", "magenta")
_VERDICT_MARKS = {
    Verdict.KEPT: "✔ kept",
    Verdict.WITHIN_SAMPLING_ERROR: "≈ kept",
    Verdict.BROKEN: "✘ broken",
    Verdict.NOTHING_PROMISED: "labelled",
}
_COMPUTE_LINES, _RATE_LINES = 5, 4
_FLOORS_WIDTH = 40
_MOST_DEADLINES = 5


@dataclass(frozen=True)
class Frame:
    """What one frame shows."""

    report: FleetReport
    sent_per_s: Sequence[float]
    """Rate at each report so far, all tasks together."""
    duration_s: float
    links: str
    """Where more is to be seen."""


def render(frame: Frame, width: int) -> RenderableType:
    """One frame for a terminal of `width` columns."""
    report = frame.report
    layout = Layout()
    layout.split_column(
        Layout(_header(frame), size=1),
        Layout(_compute(report, width), size=_COMPUTE_LINES),
        *(
            Layout(_task(name, task, width), name=name, size=_task_lines(task))
            for name, task in report.tasks.items()
        ),
        Layout(_rate(frame, width), size=_RATE_LINES),
        Layout(_counts(report), size=1),
    )
    return layout


def _header(frame: Frame) -> Table:
    table = Table.grid(expand=True)
    table.add_column(no_wrap=True, overflow="ellipsis")
    table.add_column(justify="right", no_wrap=True)
    elapsed_s = min(frame.report.elapsed_s, frame.duration_s)
    clock = f"{_clock(elapsed_s)} of {_clock(frame.duration_s)}"
    state = "waiting for the last answers" if frame.report.phase is not Phase.SENDING else clock
    title = Text(" Ounce", style="bold")
    title.append(
        "  the lightest model that meets each deadline and accuracy floor", style="not bold"
    )
    table.add_row(title, Text(f"{state} ", style="bold"))
    return table


def _compute(report: FleetReport, width: int) -> Panel:
    factor = report.savings_factor
    figure = Text(large(f"{factor:.1f}×" if factor < 100 else f"{factor:.0f}×"), style=OURS)
    spent_s, best_s = report.spent_ms / 1e3, report.always_best_ms / 1e3
    bar_width = max(width - 62, 10)
    rows = Table.grid(padding=(0, 1))
    for label, seconds, style in (("Ounce", spent_s, OURS), ("always best", best_s, BEST)):
        filled = bar(seconds / best_s if best_s else 0, bar_width)
        rows.add_row(label, Text(filled, style=style), f"{seconds:,.2f} CPU s")
    right = Group(Text("less compute than always running the most accurate model"), rows)
    grid = Table.grid(padding=(0, 3))
    grid.add_row(figure, right)
    return Panel(grid, border_style="green", padding=(0, 2))


def _task_lines(task: TaskReport) -> int:
    """Two borders, the tables' header, and the longer side: models, or floors and deadlines."""
    return 3 + max(len(task.models), len(task.floors) + 2)


def _task(name: str, task: TaskReport, width: int) -> Panel:
    title = Text.assemble(
        (f" {name} ", "bold"),
        f" {task.answered_per_s:,.0f}/s · p50 {task.recent_p50_ms:.0f} ms"
        f" · p99 {task.recent_p99_ms:.0f} ms · deadlines kept "
        f"{share(task.kept_as_measured, task.answered)}"
        f" · floors met {share(task.floors_met, task.answered)} ",
    )
    tables = Table.grid(expand=True)
    tables.add_column()
    tables.add_column(justify="right", width=_FLOORS_WIDTH)
    tables.add_row(
        _models(task, width - _FLOORS_WIDTH - 4), Group(_floors(task.floors), _deadlines(task))
    )
    return Panel(tables, title=title, title_align="left", padding=(0, 1))


def _models(task: TaskReport, width: int) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim", pad_edge=False)
    table.add_column("model", no_wrap=True, overflow="ellipsis", max_width=19)
    bar_width = max(width - 55, 4)
    table.add_column("", width=bar_width, no_wrap=True)
    for heading in ("share", "ms each", "promised", "seen"):
        table.add_column(heading, justify="right", no_wrap=True)
    n_styles = len(_MODEL_STYLES)
    for rank, (name, model) in enumerate(task.models.items()):
        answered = model.accuracy.answered
        style = _MODEL_STYLES[rank * (n_styles - 1) // max(len(task.models) - 1, 1)]
        table.add_row(
            name,
            Text(bar(answered / task.answered, bar_width), style=style),
            share(answered, task.answered),
            f"{model.cost_ms:.3f}" if model.cost_ms < 10 else f"{model.cost_ms:.1f}",
            _percent(model.accuracy.promised),
            _percent(model.accuracy.seen),
        )
    return table


def _floors(floors: Sequence[FloorReport]) -> Table:
    table = Table(box=None, padding=(0, 0, 0, 1), header_style="dim", pad_edge=False)
    for heading in ("floor", "met", "promised", "seen"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True, width=8)
    for floor in floors:
        met, missed = floor.labelled_met, floor.labelled_missed
        basis = met if met.answered else missed
        table.add_row(
            f"{100 * floor.min_accuracy:.4g}%",
            share(met.answered, met.answered + missed.answered),
            _percent(basis.promised),
            _percent(basis.seen),
            Text(_VERDICT_MARKS[floor.verdict], style=VERDICT_STYLE[floor.verdict]),
        )
    return table


def _deadlines(task: TaskReport) -> Table:
    """Two lines: the deadlines, and the share of each that was kept, as the devices measured."""
    table = Table.grid(padding=(0, 0, 0, 1))
    shown = task.deadlines[:_MOST_DEADLINES]
    table.add_row(
        Text("within ms", style="dim"),
        *(Text(f"{deadline.max_latency_ms:g}", style="dim") for deadline in shown),
    )
    table.add_row("kept", *(_short_share(d.kept_as_measured, d.answered) for d in shown))
    for column in table.columns[1:]:
        column.justify = "right"
    return table


def _short_share(part: int, whole: int) -> str:
    return "100%" if part == whole else share(part, whole)


def _rate(frame: Frame, width: int) -> Panel:
    rates = frame.sent_per_s
    lines = sparkline(rates, width - 4, height=_RATE_LINES - 2)
    now, peak = rates[-1] if rates else 0.0, max(rates, default=0.0)
    title = Text(f" messages/s: {now:,.0f} now, {peak:,.0f} at most ")
    if frame.report.bursting:
        title.append("burst ", style="bold yellow")
    subtitle = Text(f" {frame.links} ", style="dim")
    return Panel(
        Text("\n".join(lines), style="cyan", no_wrap=True),
        title=title,
        title_align="left",
        subtitle=subtitle,
        subtitle_align="right",
        padding=(0, 1),
    )


def _counts(report: FleetReport) -> Text:
    tasks = report.tasks.values()
    dead = sum(sum(task.dead_letters.values()) for task in tasks)
    repeated = sum(task.repeated for task in tasks)
    fallbacks = sum(task.fallbacks for task in tasks)
    text = Text(" ", no_wrap=True, overflow="ellipsis")
    text.append(f"sent {sum(task.sent for task in tasks):,} · answered {report.answered:,}")
    text.append(f" · waiting {sum(task.waiting for task in tasks):,}")
    for word, count in (("repeated", repeated), ("dead letters", dead)):
        text.append(" · ")
        text.append(f"{word} {count:,}", style=ALARM if count else "")
    text.append(f" · labelled misses {fallbacks:,}")
    return text


def _percent(accuracy: float) -> str:
    return f"{100 * accuracy:.1f}%"


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
