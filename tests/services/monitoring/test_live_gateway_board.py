"""A gateway at work answers every panel of its dashboard."""

from pathlib import Path

import pytest

from tests.support.kafka.far_end import FarEnd
from tests.support.kafka.topics import OwnTopics
from tests.support.process.boards import board, board_files, targets
from tests.support.process.gateway import Gateway
from tests.support.process.live_boards import answered, draw
from tests.support.process.mosquitto import Mosquitto, MqttDevice
from tests.support.process.prometheus import Prometheus

TASK = "gateway-board"
TITLE = "Ounce: gateways"


@pytest.mark.kafka
@pytest.mark.mosquitto
@pytest.mark.prometheus
def test_every_panel_of_a_gateway_has_an_answer(
    kafka: str, topics: OwnTopics, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    requests, predictions, letters, _ = topics.of_task(TASK)
    far_end = FarEnd(kafka, [requests, letters], predictions)
    options = ["--map=sensors/+device/+task", f"--task={TASK}", f"--store={tmp_path}/store.db"]
    with (
        Gateway(mosquitto.url, kafka, tmp_path / "gateway.log", options) as gateway,
        MqttDevice(mosquitto.port, ["answers/b1/#"]) as device,
        Prometheus(f"127.0.0.1:{gateway.port}", "ounce-gateway") as server,
    ):
        server.wait_for("ounce_gateway_ready")
        server.wait_for("process_start_time_seconds")  # alerts ask for it
        device.send(f"sensors/b1/{TASK}", b"raw")
        (request,) = far_end.read(1)
        far_end.answer(request, b"yes")
        assert len(device.wait_for(1)) == 1
        device.send("sensors/b1/no-such-task", b"x")
        asked = [target for target in targets() if target.board == TITLE]
        assert len(asked) > 5
        assert [str(t) for t in asked if not answered(server, t.expression)] == []
        draw(server, [path for path in board_files() if board(path)["title"] == TITLE], tmp_path)
    far_end.close()
