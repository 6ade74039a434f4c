"""Shows reports as they come: a live view on a terminal, lines anywhere else."""

import time
from collections.abc import Callable

from rich.console import Console
from rich.live import Live

from ounce_services.demo.feed import ReportFeed
from ounce_services.demo.view import Frame, render
from ounce_services.devices.report import FleetReport
from ounce_services.devices.summary import share

_FRAME_S = 0.3
_LINE_EVERY_S = 5.0


def show(
    console: Console,
    feed: ReportFeed,
    is_over: Callable[[], bool],
    *,
    duration_s: float,
    links: str,
) -> None:
    """Show what comes through `feed` until `is_over`, which may raise to end it."""
    if console.is_terminal:
        with Live(console=console, screen=True, auto_refresh=False) as live:
            while not is_over():
                feed.follow()
                if feed.latest is not None:
                    frame = Frame(feed.latest, tuple(feed.sent_per_s), duration_s, links)
                    live.update(render(frame, console.width, console.height), refresh=True)
                time.sleep(_FRAME_S)
    else:
        next_line_s = _LINE_EVERY_S
        while not is_over():
            feed.follow()
            if feed.latest is not None and feed.latest.elapsed_s >= next_line_s:
                next_line_s = feed.latest.elapsed_s + _LINE_EVERY_S
                console.print(progress_line(feed.latest), soft_wrap=True, highlight=False)
            time.sleep(_FRAME_S)
    feed.follow()


def progress_line(report: FleetReport) -> str:
    """One report in one line."""
    tasks = "; ".join(
        f"{name} {task.answered_per_s:.0f}/s, p50 {task.recent_p50_ms:.0f} ms, "
        f"p99 {task.recent_p99_ms:.0f} ms, "
        f"deadlines kept {share(task.kept_as_measured, task.answered)}, "
        f"accuracy {task.accuracy.seen:.3f} of {task.accuracy.promised:.3f} promised"
        if task.answered
        else f"{name} no answer yet"
        for name, task in report.tasks.items()
    )
    return f"{report.elapsed_s:3.0f} s  {report.savings_factor:.1f}x less compute; {tasks}"
