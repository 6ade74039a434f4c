"""A worker publishes its decisions on a real Kafka, and they are replayed from there."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from ounce_edge.worker.command import command as worker_command
from ounce_schemas.errors import ArtifactError
from ounce_schemas.topics import decisions_topic
from ounce_services.policies.command import command

from tests.support.kafka.topics import OwnTopics
from tests.support.process.worker import Device, Worker

pytestmark = pytest.mark.kafka
N = 300


def replay(file: Path, kafka: str, *more: str) -> Any:
    arguments = [f"--policy={file}", f"--decisions={decisions_topic()}", *more]
    if kafka:
        arguments.append(f"--kafka={kafka}")
    return CliRunner().invoke(command, ["replay", *arguments])


def test_decisions_of_a_worker_are_replayed_from_their_topic(
    kafka: str,
    topics: OwnTopics,
    digits_models: Path,
    device: Device,
    tmp_path: Path,
    consumer_group: str,
) -> None:
    topics.of_task("digits")
    file = tmp_path / "new.yaml"
    file.write_text("tasks: {digits: {allow: [mlp]}}")
    nothing = replay(file, kafka)
    assert isinstance(nothing.exception, ArtifactError)
    assert "--publish-decisions" in str(nothing.exception)
    topics.make([decisions_topic()], partitions=2)
    with np.load(digits_models / "digits" / "test-split.npz") as arrays:
        body = arrays["input"][0].astype("<f4").tobytes()
    options = [f"--group={consumer_group}", "--publish-decisions"]
    with Worker(kafka, digits_models, tmp_path / "log", options) as worker:
        for i in range(N):
            device.send(body, [("ce_id", b"%d" % i)])
        device.flush()
        device.read(N)
        assert worker.child.stop() == 0, worker.child.log_tail()
    done = replay(file, kafka)
    assert done.exit_code == 0, done.output
    assert f"{N} messages replayed" in done.output
    assert "mlp" in done.output


def test_the_topic_needs_a_kafka_and_live_needs_a_folder(tmp_path: Path) -> None:
    file = tmp_path / "new.yaml"
    file.write_text("{}")
    assert "needs --kafka" in replay(file, "").output
    assert "--live follows a folder" in replay(file, "127.0.0.1:1", "--live").output


def test_a_worker_records_in_one_place(tmp_path: Path) -> None:
    options = ["--task=digits", "--kafka=127.0.0.1:1", "--publish-decisions"]
    result = CliRunner().invoke(worker_command, [*options, f"--decisions={tmp_path}"])
    assert result.exit_code != 0
    assert "give one of the two" in (result.output + str(result.exception))
