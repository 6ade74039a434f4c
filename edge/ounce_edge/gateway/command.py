"""`ounce gateway`."""

import logging
from typing import Any

import click
from ounce_schemas.command import make_settings, settings_options

from ounce_edge.broker.client_log import RepetitionFilter
from ounce_edge.gateway.gateway import Gateway
from ounce_edge.gateway.settings import GatewaySettings


@click.command("gateway")
@settings_options(GatewaySettings)
def command(**options: Any) -> None:
    """Carry messages of MQTT devices to Kafka and answers back, until SIGTERM.

    Example: ounce gateway --mqtt mqtt://localhost --map 'sensors/+device/+task' --task digits
    --kafka localhost:9092
    """
    settings = make_settings(GatewaySettings, options)
    logging.basicConfig(
        level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    for handler in logging.getLogger().handlers:
        handler.addFilter(RepetitionFilter())
    Gateway(settings).run()
