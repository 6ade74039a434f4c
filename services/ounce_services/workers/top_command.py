"""`ounce top`: what workers do right now, for the person on the box."""

import time
from collections.abc import Iterator
from typing import Any

import click
from ounce_schemas.command import make_settings, settings_options
from pydantic import BaseModel, Field
from rich.console import Console
from rich.live import Live

from ounce_services.workers.looking import Looks, checked_addresses, look_at
from ounce_services.workers.top_view import render


class TopSettings(BaseModel):
    """Options of `ounce top`."""

    every_s: float = Field(
        default=2.0, ge=0.1, le=3600, description="Seconds between two frames; figures are of them"
    )
    limit: int | None = Field(
        default=None, ge=1, description="Ends after so many frames; default: at Ctrl-C"
    )
    timeout_s: float = Field(default=2.0, gt=0, description="Seconds to wait for a worker's page")


@click.command("top")
@click.argument("address", nargs=-1)
@settings_options(TopSettings)
def command(address: tuple[str, ...], **options: Any) -> None:
    """Show what the workers at each ADDRESS, HOST:PORT of --metrics-port, do right now.

    Rates, shares of models, deadlines and floors are those of the last --every-s seconds; in the
    first frame those since the worker started. Ctrl-C ends it.

    \b
    Examples:
      ounce top
      ounce top edge-1:9464 edge-2:9464 --every-s 5

    Exit codes: 0 after --limit frames; 2 wrong usage; 130 after Ctrl-C.
    """
    settings = make_settings(TopSettings, options)
    console = Console()
    frames = _frames(checked_addresses(address), settings)
    if console.is_terminal:
        with Live(console=console, screen=True, auto_refresh=False) as live:
            for frame in frames:
                live.update(render(frame), refresh=True)
    else:
        for frame in frames:
            console.print(render(frame))


def _frames(addresses: list[str], settings: TopSettings) -> Iterator[Looks]:
    looks: Looks | None = None
    n_left = settings.limit
    while True:
        looks = look_at(addresses, settings.timeout_s, looks)
        yield looks
        n_left = None if n_left is None else n_left - 1
        if n_left == 0:
            return
        time.sleep(settings.every_s)
