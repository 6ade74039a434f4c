"""The live view: one frame from one report, fitted to terminals of 80 by 24 and more."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from rich.console import Group, RenderableType
from rich.layout import Layout
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from ounce_services.demo.widgets import bar, large, sparkline
from ounce_services.devices.report import FleetReport, FloorReport, Phase, TaskReport, Verdict
from ounce_services.devices.summary import VERDICT_STYLE, share

T = TypeVar("T")
OURS, BEST, ALARM = "bold green", "magenta", "bold red"
_MODEL_STYLES = ("green", "cyan", "blue", "yellow", "magenta")
_VERDICT_MARKS = {
    Verdict.KEPT: "✔ kept",
    Verdict.WITHIN_SAMPLING_ERROR: "≈ kept",
    Verdict.BROKEN: "✘ broken",
    Verdict.NOTHING_PROMISED: "labelled",
}
_COMPUTE_LINES, _RATE_LINES = 5, 4
_LEAST_WIDTH = 98
"""Narrower terminals get no bars of models, and less about floors."""
_FLOORS_WIDTH, _NARROW_FLOORS_WIDTH = 40, 24
_FRAME_LINES = 3
"""Of a task: two borders, and the head of its tables."""
_DEADLINE_LINES = 2
_ENOUGH_LINES = 10
"""Of a task: with fewer, the rate is told in one line."""


@dataclass(frozen=True)
class Frame:
    """What one frame shows."""

    report: FleetReport
    sent_per_s: Sequence[float]
    """Rate at each report so far, all tasks together."""
    duration_s: float
    links: str
    """Where more is to be seen."""


def render(frame: Frame, width: int, height: int) -> RenderableType:
    """One frame for a terminal of `width` columns and `height` lines."""
    report = frame.report
    wanted = [_task_lines(task) for task in report.tasks.values()]
    fixed = 2 + _COMPUTE_LINES
    is_high = fixed + _RATE_LINES + sum(min(n, _ENOUGH_LINES) for n in wanted) <= height
    rate_lines = _RATE_LINES if is_high else 1
    given = _shared(wanted, height - fixed - rate_lines)
    layout = Layout()
    layout.split_column(
        Layout(_header(frame, width), size=1),
        Layout(_compute(report, width), size=_COMPUTE_LINES),
        *(
            Layout(_task(name, task, width, lines - _FRAME_LINES), name=name, size=lines)
            for (name, task), lines in zip(report.tasks.items(), given, strict=True)
        ),
        Layout(_rate(frame, width) if is_high else _rate_line(frame), size=rate_lines),
        Layout(_counts(report, width), size=1),
    )
    return layout


def _shared(wanted: Sequence[int], n_lines: int) -> list[int]:
    """Lines of each task: as many as it wants, or an even part of what the others leave."""
    given, left = [0] * len(wanted), n_lines
    for n_done, i in enumerate(sorted(range(len(wanted)), key=wanted.__getitem__)):
        part = left // (len(wanted) - n_done)
        given[i] = max(min(wanted[i], part), _FRAME_LINES + 1)
        left -= given[i]
    return given


def _header(frame: Frame, width: int) -> Table:
    table = Table.grid(expand=True)
    table.add_column(no_wrap=True, overflow="ellipsis")
    table.add_column(justify="right", no_wrap=True)
    elapsed_s = min(frame.report.elapsed_s, frame.duration_s)
    clock = f"{_clock(elapsed_s)} of {_clock(frame.duration_s)}"
    state = "waiting for the last answers" if frame.report.phase is not Phase.SENDING else clock
    title = Text(" Ounce", style="bold")
    if width >= _LEAST_WIDTH:
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
    running = " running" if width >= _LEAST_WIDTH else ""
    right = Group(Text(f"less compute than always{running} the most accurate model"), rows)
    grid = Table.grid(padding=(0, 3))
    grid.add_row(figure, right)
    return Panel(grid, border_style="green", padding=(0, 2))


def _task_lines(task: TaskReport) -> int:
    """Frame, and the longer side: models, or floors and deadlines."""
    return _FRAME_LINES + max(len(task.models), len(task.floors) + _DEADLINE_LINES)


def _task(name: str, task: TaskReport, width: int, n_rows: int) -> Panel:
    is_wide = width >= _LEAST_WIDTH
    kept, met = (" kept", " met") if is_wide else ("", "")
    title = Text.assemble(
        (f" {name} ", "bold"),
        f" {task.answered_per_s:,.0f}/s · p50 {task.recent_p50_ms:.0f} ms"
        f" · p99 {task.recent_p99_ms:.0f} ms · deadlines{kept} "
        f"{share(task.kept_as_measured, task.answered)}"
        f" · floors{met} {share(task.floors_met, task.answered)} ",
    )
    floors_width = _FLOORS_WIDTH if is_wide else _NARROW_FLOORS_WIDTH
    tables = Table.grid(expand=True)
    tables.add_column()
    tables.add_column(justify="right", width=floors_width)
    tables.add_row(
        _models(task, width - floors_width - 4, n_rows, is_wide),
        Group(
            _floors(task.floors, max(n_rows - _DEADLINE_LINES, 1), is_wide),
            _deadlines(task, floors_width),
        ),
    )
    return Panel(tables, title=title, title_align="left", padding=(0, 1))


def _models(task: TaskReport, width: int, n_rows: int, is_wide: bool) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim", pad_edge=False)
    name_width = max(width // 4, 19)
    table.add_column("model", no_wrap=True, overflow="ellipsis", max_width=name_width)
    bar_width = max(width - name_width - 36, 4) if is_wide else 0
    if bar_width:
        table.add_column("", width=bar_width, no_wrap=True)
    for heading in ("share", "ms each", "promised", "seen"):
        table.add_column(heading, justify="right", no_wrap=True)
    n_styles = len(_MODEL_STYLES)
    shown, n_more = _most(
        list(enumerate(task.models.items())), n_rows, lambda each: each[1][1].accuracy.answered
    )
    for rank, (name, model) in shown:
        answered = model.accuracy.answered
        style = _MODEL_STYLES[rank * (n_styles - 1) // max(len(task.models) - 1, 1)]
        drawn = Text(bar(answered / task.answered, bar_width), style=style)
        table.add_row(
            name if bar_width else Text(name, style=style),
            *([drawn] if bar_width else []),
            share(answered, task.answered),
            f"{model.cost_ms:.3f}" if model.cost_ms < 10 else f"{model.cost_ms:.1f}",
            _percent(model.accuracy.promised),
            _percent(model.accuracy.seen),
        )
    if n_more:
        table.add_row(Text(f"and {n_more} more", style="dim"))
    return table


def _most(rows: Sequence[T], n_rows: int, used: Callable[[T], float]) -> tuple[Sequence[T], int]:
    """Rows that fit, in their order, and how many do not: the least used make room."""
    if len(rows) <= n_rows:
        return rows, 0
    n_shown = max(n_rows - 1, 0)
    first = sorted(range(len(rows)), key=lambda i: -used(rows[i]))[:n_shown]
    return [rows[i] for i in sorted(first)], len(rows) - n_shown


def _floors(floors: Sequence[FloorReport], n_rows: int, is_wide: bool) -> Table:
    """Those that are broken make room last."""
    table = Table(box=None, padding=(0, 0, 0, 1), header_style="dim", pad_edge=False)
    for heading in ("floor", "met", "promised", "seen") if is_wide else ("floor", "seen"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True, width=8)
    shown, n_more = _most(floors, n_rows, lambda floor: floor.verdict is Verdict.BROKEN)
    for floor in shown:
        met, missed = floor.labelled_met, floor.labelled_missed
        basis = met if met.answered else missed
        table.add_row(
            f"{100 * floor.min_accuracy:.4g}%",
            *(
                [share(met.answered, met.answered + missed.answered), _percent(basis.promised)]
                if is_wide
                else []
            ),
            _percent(basis.seen),
            Text(_VERDICT_MARKS[floor.verdict], style=VERDICT_STYLE[floor.verdict]),
        )
    if n_more:
        table.add_row(*[""] * (len(table.columns) - 1), Text(f"+{n_more} more", style="dim"))
    return table


def _deadlines(task: TaskReport, width: int) -> Table:
    """Two lines: the deadlines, and the share of each that was kept, as the devices measured."""
    table = Table.grid(padding=(0, 0, 0, 1))
    shown = task.deadlines[: (width - 10) // 6]
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
    lines = sparkline(frame.sent_per_s, width - 4, height=_RATE_LINES - 2)
    return Panel(
        Text("\n".join(lines), style="cyan", no_wrap=True),
        title=_rate_text(frame),
        title_align="left",
        subtitle=Text(f" {frame.links} ", style="dim"),
        subtitle_align="right",
        padding=(0, 1),
    )


def _rate_line(frame: Frame) -> Table:
    """Instead of the panel, where lines are few."""
    table = Table.grid(expand=True)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True, overflow="ellipsis")
    table.add_row(_rate_text(frame), Text(f"{frame.links} ", style="dim"))
    return table


def _rate_text(frame: Frame) -> Text:
    rates = frame.sent_per_s
    now, peak = rates[-1] if rates else 0.0, max(rates, default=0.0)
    text = Text(f" messages/s: {now:,.0f} now, {peak:,.0f} at most ")
    if frame.report.bursting:
        text.append("burst ", style="bold yellow")
    return text


def _counts(report: FleetReport, width: int) -> Text:
    tasks = report.tasks.values()
    dead = sum(sum(task.dead_letters.values()) for task in tasks)
    repeated = sum(task.repeated for task in tasks)
    fallbacks = sum(task.fallbacks for task in tasks)
    text = Text(" ", no_wrap=True, overflow="ellipsis")
    text.append(f"sent {sum(task.sent for task in tasks):,} · answered {report.answered:,}")
    text.append(f" · waiting {sum(task.waiting for task in tasks):,}")
    for word, count in (("repeated", repeated), ("dead letters", dead)):
        if count or width >= _LEAST_WIDTH:
            text.append(" · ")
            text.append(f"{word} {count:,}", style=ALARM if count else "")
    text.append(f" · labelled misses {fallbacks:,}")
    return text


def _percent(accuracy: float) -> str:
    return f"{100 * accuracy:.1f}%"


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
