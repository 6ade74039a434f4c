"""`ounce policy replay`: what a policy would have changed."""

import sys
import time
from pathlib import Path
from typing import Any

import click
from ounce_edge.dry_run.foresight import Foresight
from ounce_edge.dry_run.recorded import FolderRecording
from ounce_edge.dry_run.replaying import replay_recorded
from ounce_schemas.command import make_settings, settings_options
from ounce_schemas.errors import PolicyError
from ounce_schemas.wording import counted, table

from ounce_services.policies.foresight_page import foresight_page
from ounce_services.policies.foresight_rows import HEAD, figure_rows, plan_rows, summary
from ounce_services.policies.live_replay import follow
from ounce_services.policies.number_range import NumberRange
from ounce_services.policies.options import (
    SourceSettings,
    decisions_option,
    open_recording,
    policy_option,
    read_document,
    tasks_option,
)

_MOST_SHOWN = 10


@click.command("replay")
@policy_option
@decisions_option
@tasks_option
@click.option(
    "--page", type=click.Path(dir_okay=False, path_type=Path), help="Also write an HTML page."
)
@click.option(
    "--live",
    is_flag=True,
    help="Replay what workers record from now on, until Ctrl-C. Nothing is answered.",
)
@click.option(
    "--every",
    "every_s",
    type=NumberRange(0, min_open=True),
    default=5.0,
    show_default=True,
    help="With --live, seconds from one line to the next.",
)
@click.option(
    "--seconds",
    "for_s",
    type=NumberRange(0, min_open=True),
    help="With --live, stop after so long.",
)
@settings_options(SourceSettings)
def command(  # noqa: PLR0913
    file: Path,
    decisions: str,
    tasks: tuple[str, ...],
    page: Path | None,
    live: bool,
    every_s: float,
    for_s: float | None,
    **values: Any,
) -> None:
    """Make recorded decisions again under another policy, and show what changes: who answers,
    deadlines and floors kept, compute and cost, and the messages that change most.

    \b
    Examples:
      ounce policy replay --policy new.yaml --decisions decisions --page replay.html
      ounce policy replay --policy new.yaml --decisions ounce.decisions --kafka localhost:9092
      ounce policy replay --policy new.yaml --decisions decisions --live
    """
    recording = open_recording(decisions, make_settings(SourceSettings, values))
    if live and not isinstance(recording, FolderRecording):
        raise click.UsageError("--live follows a folder")
    if page is not None and not page.parent.is_dir():
        raise click.UsageError(f"--page {page}: there is no folder {page.parent}")
    text, policy = read_document(file)
    began_s = time.perf_counter()
    if live and isinstance(recording, FolderRecording):
        found = follow(policy, recording, tasks, every_s, for_s)
    else:
        found = replay_recorded(policy, recording, tasks, _progress)
    took_s = time.perf_counter() - began_s
    n = sum(of_task.before.n for of_task in found.values())
    for task, of_task in found.items():
        click.echo("\n".join(_lines(task, of_task)))
    if not live:
        click.echo(
            f"{counted(n, 'message')} replayed in {took_s:.1f} s, {n / took_s:,.0f} a second"
        )
    if page is not None:
        try:
            page.write_text(foresight_page(str(file), text, found), encoding="utf-8")
        except OSError as e:
            raise PolicyError(f"{page}: can't be written: {e.strerror or e}") from e
        click.echo(f"page: {page}")


def _lines(task: str, found: Foresight) -> list[str]:
    if not found.before.n:
        return [f"{task}: no message was answered meanwhile"]
    lines = [summary(task, found), "", table([HEAD, *figure_rows(found)]), ""]
    lines += [table([("plan", *HEAD[1:]), *plan_rows(found)]), ""]
    if found.changes:
        rows = [("message", "device", "as it was", "foreseen", "what changes")]
        rows += [(c.id, c.device, c.before, c.after, c.what) for c in found.changes[:_MOST_SHOWN]]
        lines += ["These change most:", table(rows), ""]
    return lines


def _progress(task: str, n: int) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r{task}: {counted(n, 'message')}", nl=False, err=True)
