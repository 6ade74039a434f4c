"""The devices that pages show, as they stand there, on a real Kafka and mosquitto."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, fences
from tests.support.kafka.far_end import FarEnd
from tests.support.kafka.topics import OwnTopics
from tests.support.process.gateway import Gateway
from tests.support.process.mosquitto import Mosquitto

pytestmark = [pytest.mark.kafka, pytest.mark.mosquitto]
TASK = "occupancy"
ANSWER = b'{"id": "room-7-1", "label": "1"}'


def test_they_send_a_reading_and_hear_its_answer(
    kafka: str, topics: OwnTopics, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    requests, predictions, _, _ = topics.of_task(TASK)
    options = ["--map=sensors/+device/+task", f"--task={TASK}", f"--store={tmp_path}/store.db"]
    addresses = {
        '"localhost:9092"': f'"{kafka}"',
        '"localhost", 1883': f'"127.0.0.1", {mosquitto.port}',
    }
    far = FarEnd(kafka, [requests], predictions)
    try:
        with Gateway(mosquitto.url, kafka, tmp_path / "gateway.log", options):
            for page in ("requests.md", "gateway.md"):
                (text,) = [fence.text for fence in fences("python") if fence.page == DOCS / page]
                for shown, real in addresses.items():
                    text = text.replace(shown, real)
                with subprocess.Popen(
                    [sys.executable, "-c", text], stdout=subprocess.PIPE, text=True
                ) as device:
                    (request,) = far.read(1)
                    headers = dict(request.headers() or [])
                    assert (request.key(), headers["ce_maxlatencyms"]) == (b"room-7", b"50")
                    assert json.loads(request.value() or b"")["Light"] == 426
                    far.answer(request, ANSWER)
                    heard, _ = device.communicate(timeout=60)
                assert device.returncode == 0, page
                assert "room-7-1" in heard, page
    finally:
        far.close()
