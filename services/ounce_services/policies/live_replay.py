"""A policy shadows what workers do now, and is printed as it goes."""

import math
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import click
from ounce_edge.dry_run.foresight import Foresight
from ounce_edge.dry_run.live import LiveReplay
from ounce_edge.dry_run.recorded import FolderRecording, require_task
from ounce_schemas.policy import Policy
from ounce_schemas.wording import counted

from ounce_services.policies.foresight_rows import figure_rows
from ounce_services.process.stopping import stop_on_signals


def follow(
    policy: Policy,
    recording: FolderRecording,
    tasks: Sequence[str],
    every_s: float,
    for_s: float | None,
) -> Mapping[str, Foresight]:
    """Replay what is recorded from now on, and print a line for each task, until a signal says
    stop.

    Args:
        policy: the other policy.
        recording: that workers write.
        tasks: names of the tasks; empty: all that are there.
        every_s: from one line to the next.
        for_s: longest time; None: until the signal.

    Raises:
        ArtifactError: there are no decisions, or none of a task that is named.
        PolicyError: the policy leaves messages without a plan.
    """
    for task in tasks:
        require_task(recording, task)
    replays = {
        task: LiveReplay(policy, recording.folder, task) for task in tasks or recording.tasks()
    }
    end_s = math.inf if for_s is None else time.monotonic() + for_s
    found = {task: replay.look() for task, replay in replays.items()}
    with stop_on_signals() as stop:
        while not stop.wait(max(min(every_s, end_s - time.monotonic()), 0.0)):
            found = {task: replay.look() for task, replay in replays.items()}
            for task, of_task in found.items():
                click.echo(live_line(datetime.now(UTC), task, of_task))
            if time.monotonic() >= end_s:
                break
    return found


def live_line(now: datetime, task: str, found: Foresight) -> str:
    """What was found so far."""
    n = found.before.n
    parts = [f"{now:%H:%M:%S} {task}: {counted(n, 'message')}"]
    if n:
        parts.append(f"another plan for {found.n_changed / n:.1%}")
        parts += [f"{name} {was} -> {is_}" for name, was, is_, _ in figure_rows(found)[:3]]
        name, was, is_, _ = figure_rows(found)[4]
        parts.append(f"{name} {was} -> {is_}")
    return ", ".join(parts)
