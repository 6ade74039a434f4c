"""`ounce status`: whether workers serve, and what is amiss; for people and scripts."""

import time
from typing import Any

import click
import msgspec
from ounce_schemas.command import make_settings, settings_options
from ounce_schemas.models_page import TaskModels
from ounce_schemas.release import SHORT
from pydantic import BaseModel, Field

from ounce_services.dead_letters.display import one_line
from ounce_services.devices.summary import share
from ounce_services.workers.figures import TaskFigures, task_figures
from ounce_services.workers.growth import Look
from ounce_services.workers.looking import checked_addresses, look_at
from ounce_services.workers.pages import PageError
from ounce_services.workers.troubles import Trouble, troubles

AMISS = 3
"""Exit code where all are ready and something is amiss."""


class StatusSettings(BaseModel):
    """Options of `ounce status`."""

    over_s: float = Field(
        default=0.0,
        ge=0,
        le=3600,
        description="Look twice, so many seconds apart, and give figures of that time; 0: since "
        "each worker started",
    )
    timeout_s: float = Field(default=5.0, gt=0, description="Seconds to wait for a worker's page")


class WorkerState(msgspec.Struct, omit_defaults=False):
    """One worker."""

    address: str
    is_ready: bool
    is_alive: bool
    text: str
    """What its probes say, or why it can't be asked."""
    version: str = ""
    policies: list[str] = []
    tasks: list[TaskFigures] = []
    models: list[TaskModels] = []
    troubles: list[Trouble] = []


@click.command("status")
@click.argument("address", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="One JSON document, for scripts.")
@settings_options(StatusSettings)
def command(address: tuple[str, ...], as_json: bool, **options: Any) -> int:
    """Show whether the workers at each ADDRESS, HOST:PORT of --metrics-port, serve.

    \b
    Examples:
      ounce status
      ounce status edge-1:9464 edge-2:9464 --over-s 10
      ounce status --json

    Exit codes: 0 all are ready and nothing is amiss; 1 one is not ready, not alive or gone; 2 wrong
    usage; 3 all are ready and something is amiss.
    """
    settings = make_settings(StatusSettings, options)
    addresses = checked_addresses(address)
    before = None
    if settings.over_s:
        before = look_at(addresses, settings.timeout_s)
        time.sleep(settings.over_s)
    looks = look_at(addresses, settings.timeout_s, before)
    states = [worker_state(at, look) for at, look in looks.items()]
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(states), indent=1).decode())
    else:
        for state in states:
            click.echo("\n".join(_lines(state)))
    if not all(state.is_ready and state.is_alive for state in states):
        return 1
    return AMISS if any(state.troubles for state in states) else 0


def worker_state(address: str, look: Look | PageError) -> WorkerState:
    """What is known of one worker."""
    if isinstance(look, PageError):
        return WorkerState(address, is_ready=False, is_alive=False, text=str(look))
    page = look.now
    return WorkerState(
        address,
        is_ready=page.ready[0],
        is_alive=page.healthy[0],
        text=page.ready[1] if page.healthy[0] else page.healthy[1],
        version=", ".join(page.values("ounce_build_info", "version")),
        policies=[*page.values("ounce_policy_info", "version")],
        tasks=task_figures([look]),
        models=[*page.models],
        troubles=troubles(page),
    )


def _lines(state: WorkerState) -> list[str]:
    head = f"{state.address}  {state.text}"
    if state.version:
        policies = f", policy {', '.join(state.policies)}" if state.policies else ""
        head += f"  (ounce {state.version}{policies})"
    releases = {now.task: now.release[:SHORT] for now in state.models if now.release}
    lines = [head, *(_task_line(of, releases.get(of.task)) for of in state.tasks)]
    lines += [f"  ! {t.task}: {t.text}" if t.task else f"  ! {t.text}" for t in state.troubles]
    return [one_line(line) for line in lines]


def _task_line(figures: TaskFigures, release: str | None) -> str:
    rate = "" if figures.per_s is None else f" ({figures.per_s:,.0f}/s)"
    p99 = "–" if figures.p99_ms is None else f"{figures.p99_ms:.0f} ms"
    return (
        f"  {figures.task}: answered {figures.answered:,.0f}{rate}, p99 {p99}, deadlines kept "
        f"{percent(figures.deadlines_kept)}, floors met {percent(figures.floors_kept)}, "
        f"lag {figures.lag:,.0f}, dead letters {figures.dead_letters:,.0f}"
        + (f", release {release}" if release else "")
    )


def percent(kept: float | None) -> str:
    """A share as a percentage; a dash of nothing."""
    return "–" if kept is None else share(kept, 1.0)
