"""A worker at work answers every panel's expressions, and every rule."""

import time
from pathlib import Path

import numpy as np
import pytest

from tests.services.monitoring.simulated import RULES
from tests.support.kafka.topics import OwnTopics
from tests.support.process.boards import board, board_files, filled_in, targets
from tests.support.process.live_boards import answered, draw
from tests.support.process.prometheus import Prometheus
from tests.support.process.worker import Device, Worker

ROUNDS = 6
TENANTS = (b"acme", b"umbrella", b"")
OTHERS = ("Ounce: gateways", "Ounce: HTTP")
"""Drawn by tests of their own: they need a gateway, and a front."""


@pytest.mark.prometheus
def test_every_panel_and_every_rule_has_an_answer(
    kafka: str,
    topics: OwnTopics,
    digits_models: Path,
    device: Device,
    tmp_path: Path,
    consumer_group: str,
) -> None:
    topics.of_task("digits")
    inputs = np.random.default_rng(0).integers(0, 17, (20, 64)).astype("<f4")
    rules = sorted(RULES.glob("*.yaml"))
    with (
        Worker(kafka, digits_models, tmp_path / "log", [f"--group={consumer_group}"]) as worker,
        Prometheus(f"127.0.0.1:{worker.port}", "ounce-worker", rules) as server,
    ):
        server.wait_for("ounce_messages_total")
        for _ in range(ROUNDS):
            device.send(b"nonsense")
            device.send(inputs[0].tobytes(), [("ce_minaccuracy", b"1"), ("ce_id", b"a")])
            for i, values in enumerate(inputs[1:20]):
                device.send(values.tobytes(), [("ce_tenant", TENANTS[i % len(TENANTS)])])
            device.flush()
            device.read(21)
            time.sleep(0.5)
        server.wait_for("ounce_consumer_lag")
        server.wait_for('slo:current_burn_rate:ratio{sloth_slo="floors"} > 0')
        of_workers = [t for t in targets() if t.board not in OTHERS]
        empty = [str(target) for target in of_workers if not answered(server, target.expression)]
        assert empty == []
        for path in board_files():
            for annotation in board(path)["annotations"]["list"]:
                server.query(filled_in(annotation["expr"]))  # raises where it can't be parsed
        server.wait_for('ALERTS{alertname="OunceDeadLetters"}')
        draw(server, [p for p in board_files() if board(p)["title"] not in OTHERS], tmp_path)
        evaluated = server.rules()
        failed = [(r["name"], r.get("lastError")) for r in evaluated if r["health"] != "ok"]
        assert failed == []
        assert len(evaluated) > 100
