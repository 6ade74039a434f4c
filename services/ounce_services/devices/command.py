"""`ounce devices`: a simulated fleet."""

from contextlib import ExitStack
from typing import Any

import click
import msgspec
from ounce_schemas.command import make_settings, settings_options
from ounce_schemas.errors import DataError
from rich.console import Console

from ounce_services.devices.report import FleetReport
from ounce_services.devices.settings import DevicesSettings
from ounce_services.devices.simulation import simulate
from ounce_services.devices.summary import print_summary
from ounce_services.process.stopping import stop_on_signals


@click.command(
    name="devices",
    epilog="Example: ounce devices --task digits --rate 300 --duration 30 --kafka localhost:9092",
)
@settings_options(DevicesSettings)
def command(**values: Any) -> int:
    """Simulate a fleet: publish real inputs and check the answers against the truth.

    Exits with 0 when every input was answered (or refused, where the policy says so), else with 1.
    """
    settings = make_settings(DevicesSettings, values)
    with ExitStack() as stack:
        stop = stack.enter_context(stop_on_signals())
        file = None
        if settings.report is not None:
            try:
                file = stack.enter_context(settings.report.open("wb"))
            except OSError as e:
                raise DataError(f"--report {settings.report}: can't be written: {e}") from e

        def write(report: FleetReport) -> None:
            if file is not None:
                file.write(msgspec.json.encode(report) + b"\n")
                file.flush()

        report = simulate(settings, stop, write)
    print_summary(report, Console())
    return 1 if report.unanswered else 0
