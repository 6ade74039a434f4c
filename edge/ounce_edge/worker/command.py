"""`ounce worker`."""

import logging
import signal
from typing import Any

import click
from ounce_schemas.command import make_settings, settings_options

from ounce_edge.broker.client_log import RepetitionFilter
from ounce_edge.telemetry.log_lines import formatter_of
from ounce_edge.worker.app import run_worker
from ounce_edge.worker.settings import WorkerSettings

logger = logging.getLogger(__name__)


@click.command("worker")
@settings_options(WorkerSettings)
def command(**options: Any) -> None:
    """Answer the requests of one or more tasks until SIGTERM, which drains and exits 0.

    Example: ounce worker --task digits --task bearing --kafka localhost:9092 --models ./models
    """
    settings = make_settings(WorkerSettings, options)
    logging.basicConfig(level=settings.log_level)
    for handler in logging.getLogger().handlers:
        handler.setFormatter(formatter_of(settings.log_format, settings.worker_name))
        handler.addFilter(RepetitionFilter())
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, _ignore)
    run_worker(settings)


def _ignore(number: int, _: object) -> None:
    """SIGHUP ends no worker: it comes from a terminal that closes, or from a person's habit."""
    logger.warning(
        "ignored %s: settings are read at start only; SIGTERM drains and stops",
        signal.Signals(number).name,
    )
