"""Two gateways of one name throw each other out at a real mosquitto."""

from contextlib import ExitStack

import pytest
from ounce_edge.gateway.session import Session
from ounce_edge.gateway.settings import GatewaySettings

from tests.support.process.mosquitto import Mosquitto
from tests.support.process.wait import wait_until

pytestmark = pytest.mark.mosquitto


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_two_gateways_of_one_name_are_told(mosquitto: Mosquitto, version: str) -> None:
    own = GatewaySettings(
        map=("s/+device/+task",), task=("digits",), kafka="nowhere:1", mqtt=mosquitto.url,
        name="twin", mqtt_version=version,
    )  # fmt: skip
    with ExitStack() as opened:
        twins = [Session(own, own.topic_maps.filters) for _ in range(2)]
        for twin in twins:
            opened.callback(twin.close)
            twin.start()
        told = "is another gateway called twin? give each its own --name"
        wait_until(
            lambda: any(told in (twin.trouble or "") for twin in twins),
            lambda: [twin.trouble for twin in twins],
        )
