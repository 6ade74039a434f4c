"""The commands of compose.yaml do outside of containers what they do inside."""

import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml
from confluent_kafka import Consumer
from ounce_schemas.topics import all_topics, predictions_topic

from tests.support.kafka.topics import OwnTopics
from tests.support.process.child import Child, free_port
from tests.support.process.command import ounce
from tests.support.process.wait import wait_until

SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(
    (Path(__file__).parents[2] / "compose.yaml").read_text()
)["services"]
OUNCE = Path(sys.executable).with_name("ounce")
TIMEOUT_S = 60


def wait_for_a_prediction(servers: str, devices: Child) -> None:
    consumer = Consumer(
        {"bootstrap.servers": servers, "group.id": "test", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([predictions_topic("digits")])
    try:
        deadline = time.monotonic() + TIMEOUT_S
        while (message := consumer.poll(1)) is None or message.error() is not None:
            assert devices.running, devices.log_tail()
            assert time.monotonic() < deadline, "no prediction came"
    finally:
        consumer.close()


@pytest.mark.kafka
def test_topics_worker_and_devices_work_together(
    kafka: str, topics: OwnTopics, digits_models: Path, tmp_path: Path
) -> None:
    """For the task digits; bearing takes too long to train here."""
    worker_port = free_port()
    places = {"kafka:9092": kafka, "/models": str(digits_models), "9464": str(worker_port)}

    def here(words: list[str]) -> list[str]:
        """A command with the places of this machine instead of the containers'."""
        kept = [word for word in words if "bearing" not in word]
        for inside, outside in places.items():
            kept = [word.replace(inside, outside) for word in kept]
        return kept

    for topic in all_topics(["digits"]):
        topics.made_by_others(topic)
    made = ounce(*here(SERVICES["topics"]["command"]))
    assert made.code == 0, made.stderr
    assert predictions_topic("digits") in made.stdout

    worker = Child([OUNCE, *here(SERVICES["worker"]["command"])], log=tmp_path / "worker.log")
    try:
        shape, program, *arguments = SERVICES["worker"]["healthcheck"]["test"]
        assert (shape, program) == ("CMD", "python")
        health = [sys.executable, *here(arguments)]

        def is_healthy() -> bool:
            return subprocess.run(health, capture_output=True, check=False).returncode == 0

        wait_until(lambda: is_healthy() or not worker.running, worker.log_tail)
        assert worker.running, worker.log_tail()
        assert page_of(worker_port).count("ounce_policy_stale 0.0") == 1

        devices = Child(
            [OUNCE, *here(SERVICES["devices"]["command"])], log=tmp_path / "devices.log"
        )
        try:
            wait_for_a_prediction(kafka, devices)
        finally:
            exit_code = devices.stop()
        assert exit_code == 0, devices.log_tail()
        assert any(path.name in devices.log_tail() for path in digits_models.glob("digits/*"))
    finally:
        exit_code = worker.stop()
    assert exit_code == 0, worker.log_tail()


def page_of(port: int) -> str:
    """Metrics of a worker."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as page:
        return str(page.read(), "utf-8")


def run_trainer(
    folder: Path, *, fails_on: str = "nothing", exit_code: int = 1
) -> tuple[int, list[str]]:
    """Run the trainer's script with a stand-in for `ounce`; exit code, and what was asked of it.

    The stand-in writes a ladder where it does not fail, or fails with 3, as the real one does.
    """
    models = folder / "models"
    calls = folder / "calls"
    program = folder / "bin" / "ounce"
    program.parent.mkdir(exist_ok=True)
    program.write_text(
        f'#!/bin/sh\necho "$*" >> {calls}\nmkdir -p {models}/$2\n'
        f'[ "$2" != {fails_on} ] || [ {exit_code} = 3 ] && touch {models}/$2/task.json\n'
        f'[ "$2" != {fails_on} ] || exit {exit_code}\n'
    )
    program.chmod(0o755)
    calls.write_text("")
    trainer = SERVICES["trainer"]
    script = trainer["command"][0].replace("$$", "$")
    result = subprocess.run(
        [*trainer["entrypoint"], script.replace("/models", str(models))],
        env={**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"},
    )
    return result.returncode, calls.read_text().replace(str(models), "/models").splitlines()


def test_the_trainer_trains_each_ladder_once(tmp_path: Path) -> None:
    both = ["train digits --models /models", "train bearing --models /models"]
    assert run_trainer(tmp_path) == (0, both)
    assert run_trainer(tmp_path) == (0, [])


def test_the_trainer_tries_again_what_failed(tmp_path: Path) -> None:
    code, calls = run_trainer(tmp_path, fails_on="bearing")
    assert code != 0
    assert len(calls) == 2
    assert run_trainer(tmp_path) == (0, ["train bearing --models /models"])


def test_a_ladder_without_some_of_its_models_serves(tmp_path: Path) -> None:
    code, calls = run_trainer(tmp_path, fails_on="digits", exit_code=3)
    assert (code, len(calls)) == (0, 2)
    assert run_trainer(tmp_path) == (0, [])
