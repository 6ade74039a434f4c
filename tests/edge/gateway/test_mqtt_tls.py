"""TLS with a real mosquitto: what is not trusted is told why, and certificates are replaced."""

import math
import subprocess
from pathlib import Path

import pytest
from ounce_edge.broker.certificates import first_expiry_s
from ounce_edge.gateway.mqtt_tls import mqtt_expiries
from ounce_edge.gateway.session import Session
from ounce_edge.gateway.settings import GatewaySettings

from tests.edge.gateway.test_session import session, settings
from tests.support.kafka.certificates import Authority
from tests.support.process.mosquitto import Mosquitto
from tests.support.process.wait import wait_until

pytestmark = [pytest.mark.mosquitto, pytest.mark.usefixtures("mosquitto")]  # skips without one


def wait_for_trouble(of: GatewaySettings, why: str) -> None:
    own = Session(of, of.topic_maps.filters)
    own.start()
    try:
        wait_until(lambda: why in (own.trouble or ""), lambda: own.trouble)
    finally:
        own.close()


def test_tls_and_a_password(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.sign("broker", host="localhost")
    passwords = tmp_path / "passwords"
    passwords.write_text("gateway:secret\n")
    subprocess.run(["mosquitto_passwd", "-U", passwords], check=True)
    options = [
        "allow_anonymous false", f"password_file {passwords}",
        f"certfile {pair.certificate}", f"keyfile {pair.key}",
    ]  # fmt: skip
    with Mosquitto(options) as broker:
        good = {
            "mqtt": f"mqtts://localhost:{broker.port}", "mqtt_ca": authority.certificate,
            "mqtt_username": "gateway", "mqtt_password": "secret",
        }  # fmt: skip
        with session(broker, **good) as own:
            assert own.trouble is None
        for wrong, why in (
            ({"mqtt_password": "guessed"}, "refuses: Not authorized"),
            ({"mqtt_ca": None}, "can't be reached: unable to get local issuer certificate"),
            ({"mqtt": f"mqtts://127.0.0.1:{broker.port}"}, "can't be reached: IP address mismatch"),
        ):
            wait_for_trouble(settings(broker, **{**good, **wrong}), why)


def test_what_was_wrong_before_is_not_told_of_a_broker_that_is_away(tmp_path: Path) -> None:
    pair = Authority(tmp_path).sign("broker", host="localhost")
    with Mosquitto([f"certfile {pair.certificate}", f"keyfile {pair.key}"]) as broker:
        own_settings = settings(broker, mqtt=f"mqtts://localhost:{broker.port}")
        own = Session(own_settings, own_settings.topic_maps.filters)
        own.start()
        try:
            wait_until(lambda: "issuer certificate" in (own.trouble or ""), lambda: own.trouble)
            broker.stop()
            wait_until(lambda: str(own.trouble).endswith("be reached"), lambda: own.trouble)
        finally:
            own.close()


def test_replaced_certificates_are_taken_with_the_next_connection(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server, own_pair = authority.sign("broker", host="localhost"), authority.sign("gateway")
    options = [
        "allow_anonymous true", "require_certificate true", f"cafile {authority.certificate}",
        f"certfile {server.certificate}", f"keyfile {server.key}",
    ]  # fmt: skip
    with Mosquitto(options) as broker:
        files = {
            "mqtt_ca": authority.certificate, "mqtt_certificate": own_pair.certificate,
            "mqtt_key": own_pair.key,
        }  # fmt: skip
        where = {"mqtt": f"mqtts://localhost:{broker.port}", **files}
        told = dict(mqtt_expiries(settings(broker, **where)))
        with session(broker, **where) as own:
            broker.stop()
            wait_until(lambda: own.trouble is not None, lambda: "it does not miss the broker")
            anew = Authority(tmp_path)  # in the same files
            anew.sign("broker", host="localhost", days=1)
            anew.sign("gateway", days=1)
            broker.start()
            wait_until(lambda: own.trouble is None, lambda: own.trouble)
    assert told["mqtt_certificate"]() == first_expiry_s(own_pair.certificate)
    authority.certificate.unlink()
    assert math.isnan(told["mqtt_ca"]())
