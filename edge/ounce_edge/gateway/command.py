"""`ounce gateway`."""

from typing import Any

import click
from ounce_schemas.command import make_settings, settings_options

from ounce_edge.gateway.settings import GatewaySettings
from ounce_edge.worker.process import begin_process


@click.command("gateway")
@settings_options(GatewaySettings)
def command(**options: Any) -> None:
    """Carry messages of MQTT devices to Kafka and answers back, until SIGTERM.

    Example: ounce gateway --mqtt mqtt://localhost --map 'sensors/+device/+task' --task digits
    --kafka localhost:9092
    """
    settings = make_settings(GatewaySettings, options)
    begin_process(settings, settings.own_name, "gateway")
    # Imported here: it takes a second, and help and wrong options need none of it.
    from ounce_edge.gateway.gateway import Gateway

    Gateway(settings).run()
