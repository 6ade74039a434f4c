"""`ounce http`."""

from importlib import import_module
from typing import Any

import click
from ounce_schemas.command import make_settings, settings_options

from ounce_edge.front.settings import HttpSettings
from ounce_edge.worker.process import begin_process


@click.command("http")
@settings_options(HttpSettings)
def command(**options: Any) -> None:
    """Answer requests of the Open Inference Protocol over HTTP, by Kafka, until SIGTERM.

    Example: ounce http --task digits --kafka localhost:9092
    """
    settings = make_settings(HttpSettings, options)
    import_module("aiohttp")  # the error that names the extra comes before anything is begun
    begin_process(settings, f"{settings.host}:{settings.port}", "http")
    # Imported here: it takes a second, and help and wrong options need none of it.
    from ounce_edge.front.front import Front

    Front(settings).run()
