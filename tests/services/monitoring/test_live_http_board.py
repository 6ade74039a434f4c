"""An HTTP front at work answers every panel of its dashboard."""

from pathlib import Path

import pytest

from tests.support.kafka.topics import OwnTopics
from tests.support.process.boards import board, board_files, targets
from tests.support.process.front import FrontProcess
from tests.support.process.live_boards import answered, draw
from tests.support.process.prometheus import Prometheus
from tests.support.process.worker import Worker

TITLE = "Ounce: HTTP"


@pytest.mark.kafka
@pytest.mark.prometheus
def test_every_panel_of_a_front_has_an_answer(
    kafka: str, topics: OwnTopics, digits_models: Path, consumer_group: str, tmp_path: Path
) -> None:
    topics.of_task("digits")
    with (
        Worker(kafka, digits_models, tmp_path / "worker.log", [f"--group={consumer_group}"]),
        FrontProcess(kafka, tmp_path / "front.log") as front,
        Prometheus(f"127.0.0.1:{front.port}", "ounce-http") as server,
    ):
        server.wait_for("ounce_http_ready")
        assert front.ask(b"[" + b",".join([b"0"] * 64) + b"]").status == 200
        assert front.ask(b"nonsense").status == 422
        server.wait_for('ounce_http_requests_total{status="422"}')
        asked = [target for target in targets() if target.board == TITLE]
        assert len(asked) > 5
        assert [str(t) for t in asked if not answered(server, t.expression)] == []
        draw(server, [path for path in board_files() if board(path)["title"] == TITLE], tmp_path)
