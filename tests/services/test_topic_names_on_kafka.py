"""Topics of a platform's own names, through every process that meets them, on a real Kafka."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from ounce_schemas.names import TOPICS_VARIABLE
from ounce_services.client import Client, RefusedError
from ounce_services.cluster.admin import describe_cluster
from ounce_services.topics.command import command as topics_command

from tests.support.kafka.topics import OwnTopics
from tests.support.process.front import UNHURRIED, FrontProcess
from tests.support.process.worker import Worker

pytestmark = pytest.mark.kafka
REQUESTS, LETTERS = "sensors.images", "errors.images"
ITEM = [8.0] * 64
TENSOR = {"name": "input", "shape": [1, 64], "datatype": "FP32", "data": ITEM}


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Names of one's own, in force here and in processes that are started."""
    file = tmp_path / "topics.yaml"
    digits = {"requests": REQUESTS, "dead_letters": LETTERS}
    file.write_text(json.dumps({"prefix": "plant-1", "tasks": {"digits": digits}}))
    monkeypatch.setenv(TOPICS_VARIABLE, str(file))
    yield
    monkeypatch.undo()


def test_requests_of_a_topic_that_was_there_are_answered(
    own: None, digits_models: Path, kafka: str, topics: OwnTopics, tmp_path: Path
) -> None:
    topics.make([REQUESTS], partitions=2)  # somebody else's
    made = ["plant-1.digits.predictions", LETTERS, "plant-1.digits.labels"]
    made += [f"plant-1.{name}" for name in ("events", "policies", "canaries", "models")]
    for topic in made:
        topics.made_by_others(topic)
    result = CliRunner().invoke(
        topics_command,
        [
            "digits",
            f"--kafka={kafka}",
        ],
    )
    assert result.exit_code == 0, result.output
    lines = [line.split()[:3] for line in result.output.splitlines()]
    assert lines[0] == [REQUESTS, "exists", "2"]
    assert lines[1:4] == [[name, "created", "2"] for name in made[:3]]
    assert lines[4:] == [[name, "created", n] for name, n in zip(made[3:], "4111", strict=True)]

    with (
        Worker(kafka, digits_models, tmp_path / "log", ["--group=plant-1"]) as worker,
        Client(kafka, "digits", timeout_s=60) as client,
    ):
        answer = client.ask(ITEM)
        with pytest.raises(RefusedError, match="wrong-length"):
            client.ask(ITEM[1:])
        client.label(answer.id, label=answer.label)
        joined = 'ounce_labels_total{outcome="joined",task="digits"} 1'
        worker.wait_until_counted(re.escape(joined))
        options = [*UNHURRIED, f"--models={digits_models}", "--group=plant-1"]
        with FrontProcess(kafka, tmp_path / "front", options) as front:
            body = json.dumps({"inputs": [TENSOR]}).encode()
            assert front.ask(body).body["outputs"][0]["data"] == [answer.label]
    there = describe_cluster(kafka, 60).partitions
    assert not [name for name in there if name.startswith("ounce.digits.")]
