"""`ounce demo`: the whole path at work."""

from typing import Any

import click
from ounce_schemas.command import make_settings, settings_options
from rich.console import Console

from ounce_services.demo.run import run_demo
from ounce_services.demo.settings import DemoSettings


@click.command(name="demo", epilog="Example: ounce demo --duration 30 --rate 500")
@settings_options(DemoSettings)
def command(**values: Any) -> int:
    """Show the whole path at work: ladders, Kafka, a worker, devices, and what routing saves.

    Trains quick ladders where none are, then runs for about a minute; Ctrl-C ends it in order.
    """
    return run_demo(make_settings(DemoSettings, values), Console())
