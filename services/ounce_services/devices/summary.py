"""The end of a run for a person: tables."""

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from ounce_services.devices.report import FleetReport, TaskReport, Verdict

VERDICT_STYLE = {
    Verdict.KEPT: "green",
    Verdict.WITHIN_SAMPLING_ERROR: "yellow",
    Verdict.BROKEN: "bold red",
    Verdict.NOTHING_PROMISED: "dim",
}


def print_summary(report: FleetReport, console: Console) -> None:
    """Print counts, models, deadlines and floors of every task."""
    for task, of_task in report.tasks.items():
        console.print()
        console.print(Text(task, style="bold"))
        console.print(counts_line(of_task), soft_wrap=True, highlight=False)
        if of_task.sent and not of_task.answered and not of_task.dead_letters:
            console.print(f"Nothing came back: run `ounce worker --task {task}`.", soft_wrap=True)
            continue
        p50, p99 = of_task.p50_ms, of_task.p99_ms
        console.print(
            f"p50 {p50:.1f} ms, p99 {p99:.1f} ms, publish to answer read", highlight=False
        )
        console.print(Group(_models(of_task), _deadlines(of_task), _floors(of_task)))


def counts_line(report: TaskReport) -> str:
    """Sent, answered and what went wrong, with console markup."""
    parts = [f"sent {report.sent:,}", f"answered {report.answered:,}"]
    parts.append(_alarm("missing", report.waiting))
    parts.append(_alarm("not taken by Kafka", report.undelivered) if report.undelivered else "")
    parts.append(_alarm("repeated", report.repeated))
    parts.append(_alarm("unreadable", report.unreadable) if report.unreadable else "")
    dead = ", ".join(f"{reason} {count:,}" for reason, count in report.dead_letters.items())
    parts.append(f"[red]dead letters: {dead}[/red]" if dead else "dead letters 0")
    parts.append(f"labels {report.labels:,}" if report.labels else "")
    return " · ".join(part for part in parts if part)


def share(part: float, whole: float) -> str:
    """A percentage that never rounds up to 100."""
    if not whole:
        return "–"
    percent = 100 * part / whole
    return f"{percent:.1f}%" if percent >= 99.95 and part == whole else f"{_cut(percent):.1f}%"


def _cut(percent: float) -> float:
    return min(percent, 99.9) if percent < 100 else percent


def _alarm(word: str, count: int) -> str:
    return f"[red]{word} {count:,}[/red]" if count else f"{word} 0"


def _models(report: TaskReport) -> Table:
    table = Table("model", box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("answers", "share", "cost ms", "accuracy promised", "seen"):
        table.add_column(column, justify="right", no_wrap=True)
    for name, model in report.models.items():
        accuracy = model.accuracy
        table.add_row(
            name,
            f"{accuracy.answered:,}",
            share(accuracy.answered, report.answered),
            f"{model.cost_ms:.3f}",
            f"{accuracy.promised:.4f}",
            f"{accuracy.seen:.4f}",
        )
    spent_s, best_s = report.spent_ms / 1e3, report.always_best_ms / 1e3
    factor = best_s / spent_s if spent_s else 1.0
    table.caption = (
        f"compute {spent_s:.2f} s; always the most accurate {best_s:.2f} s ({factor:.1f}x)"
    )
    table.caption_justify = "left"
    return table


def _deadlines(report: TaskReport) -> Table:
    table = Table("deadline", box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("answers", "kept, measured here", "kept, as labelled"):
        table.add_column(column, justify="right")
    for deadline in report.deadlines:
        table.add_row(
            f"{deadline.max_latency_ms:g} ms",
            f"{deadline.answered:,}",
            share(deadline.kept_as_measured, deadline.answered),
            share(deadline.kept_as_labelled, deadline.answered),
        )
    return table


def _floors(report: TaskReport) -> Table:
    table = Table("accuracy floor", box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("answers", "labelled as met", "promised", "seen"):
        table.add_column(column, justify="right")
    table.add_column("verdict", no_wrap=True)
    for floor in report.floors:
        met, missed = floor.labelled_met, floor.labelled_missed
        answered = met.answered + missed.answered
        basis = met if met.answered else missed
        table.add_row(
            f"{floor.min_accuracy:g}",
            f"{answered:,}",
            share(met.answered, answered),
            f"{basis.promised:.4f}",
            f"{basis.seen:.4f}",
            Text(floor.verdict.value, style=VERDICT_STYLE[floor.verdict]),
        )
    return table
