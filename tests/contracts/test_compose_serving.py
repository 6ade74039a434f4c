"""Control plane, gateway and HTTP front of compose.yaml, as processes, beside real servers."""

import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ounce_schemas.topics import predictions_topic, requests_topic

from tests.contracts.test_compose_services import BUILT, REPOSITORY
from tests.support.kafka.apache_kafka import ApacheKafka
from tests.support.kafka.far_end import FarEnd
from tests.support.process.child import Child, free_port
from tests.support.process.command import ounce
from tests.support.process.mosquitto import Mosquitto, MosquittoUnavailableError, MqttDevice
from tests.support.process.postgresql import PostgresqlUnavailableError, running_postgresql
from tests.support.process.wait import wait_until

OUNCE = Path(sys.executable).with_name("ounce")


@contextmanager
def served(name: str, places: dict[str, str], log: Path) -> Iterator[Child]:
    """A service's command in its environment, from healthy until it ends in order.

    Args:
        name: of the service.
        places: what stands in the file, and what takes its place on this machine.
        log: for what it prints.
    """

    def here(text: str) -> str:
        for inside, outside in places.items():
            text = text.replace(inside, outside)
        return text

    service = BUILT[name]
    own = {key: here(text) for key, text in service.get("environment", {}).items()}
    command = [OUNCE, *map(here, service["command"])]
    child = Child(command, log=log, env={**os.environ, **own})
    try:
        check = [sys.executable, *map(here, service["healthcheck"]["test"][2:])]
        wait_until(lambda: _passes(check) or not child.running, child.log_tail)
        assert child.running, child.log_tail()
        yield child
        assert child.stop() == 0, child.log_tail()
    finally:
        child.kill()


def _said(url: str) -> str:
    """What a page says, whatever its status."""
    try:
        with urllib.request.urlopen(url, timeout=5) as page:
            return str(page.read())
    except urllib.error.HTTPError as e:
        return str(e.read())


def _passes(check: list[str]) -> bool:
    return subprocess.run(check, capture_output=True, check=False).returncode == 0


@pytest.mark.kafka
def test_control_gateway_and_front_get_healthy_work_and_end_in_order(
    private_kafka: ApacheKafka, tmp_path: Path
) -> None:
    kafka = private_kafka.bootstrap_servers
    topics = [word.replace("kafka:9092", kafka) for word in BUILT["topics"]["command"]]
    assert ounce(*topics).code == 0
    conf = (REPOSITORY / "services/mosquitto/mosquitto.conf").read_text()
    own = [line for line in conf.splitlines() if re.match(r"allow_|max_|set_", line)]
    (tmp_path / "store").mkdir()
    port = free_port()
    url = re.sub(
        r"\$\{\w+:-([^}]*)\}", r"\1", BUILT["control"]["environment"]["OUNCE_DATABASE_URL"]
    )
    try:
        with Mosquitto(own) as broker, running_postgresql() as database:
            places = {
                BUILT["control"]["environment"]["OUNCE_DATABASE_URL"]: database,
                url: database,
                "kafka:9092": kafka,
                "mqtt://mosquitto:1883": broker.url,
                "/store/": f"{tmp_path}/store/",
                "/models": str(tmp_path / "models"),
                "8080": str(free_port()),
                "9465": str(free_port()),
                "9466": str(free_port()),
                "--port=8000": f"--port={port}",
            }
            with served("control", places, tmp_path / "control.log"):
                key = subprocess.run(
                    [OUNCE, "control", "key", "make", "ann", "--role", "admin"],
                    env={**os.environ, "OUNCE_DATABASE_URL": database},
                    capture_output=True, text=True, check=True,
                )  # fmt: skip
                assert key.stdout.strip()
            far = FarEnd(kafka, [requests_topic("digits")], predictions_topic("digits"))
            with (
                served("gateway", places, tmp_path / "gateway.log"),
                MqttDevice(broker.port) as device,
            ):
                device.send("sensors/d/digits", b"[1]")
                [request] = far.read(1)
                assert (request.key(), request.value()) == (b"d", b"[1]")
            far.close()
            with served("http", places, tmp_path / "http.log"):
                url = f"http://127.0.0.1:{port}/v2/models/digits/ready"
                wait_until(lambda: "no worker of the group ounce" in _said(url), lambda: _said(url))
    except (MosquittoUnavailableError, PostgresqlUnavailableError) as e:
        pytest.skip(str(e))
