"""`ounce worker`."""

from typing import Any

import click
from ounce_schemas.command import make_settings, settings_options

from ounce_edge.worker.process import begin_process
from ounce_edge.worker.settings.worker import WorkerSettings


@click.command("worker")
@settings_options(WorkerSettings)
def command(**options: Any) -> None:
    """Answer the requests of one or more tasks until SIGTERM, which drains and exits 0.

    Example: ounce worker --task digits --task bearing --kafka localhost:9092 --models ./models
    """
    settings = make_settings(WorkerSettings, options)
    begin_process(settings, settings.worker_name)
    # Imported here: it takes a second, and help and wrong options need none of it.
    from ounce_edge.worker.app import run_worker

    run_worker(settings)
