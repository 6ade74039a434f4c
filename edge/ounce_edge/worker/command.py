"""`ounce worker`."""

import logging
from typing import Any

import click
from ounce_schemas.command import make_settings, settings_options

from ounce_edge.broker.client_log import Seldom
from ounce_edge.worker.app import run_worker
from ounce_edge.worker.settings import WorkerSettings


@click.command("worker")
@settings_options(WorkerSettings)
def command(**options: Any) -> None:
    """Answer the requests of one or more tasks until SIGTERM, which drains and exits 0.

    Example: ounce worker --task digits --task bearing --kafka localhost:9092 --models ./models
    """
    settings = make_settings(WorkerSettings, options)
    logging.basicConfig(
        level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    for handler in logging.getLogger().handlers:
        handler.addFilter(Seldom())
    run_worker(settings)
