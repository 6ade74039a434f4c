"""`ounce devices` from end to end on the embedded broker, against the fake worker."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner, Result
from confluent_kafka import Consumer, Message, TopicPartition
from ounce_schemas.documents import TASK_FILE, TEST_SPLIT_FILE
from ounce_schemas.errors import ArtifactError, BrokerError
from ounce_schemas.label import Label
from ounce_schemas.prediction import Prediction
from ounce_schemas.task import TensorSpec
from ounce_schemas.topics import labels_topic, predictions_topic, task_topics
from ounce_services.cluster.embedded import EmbeddedBroker
from ounce_services.devices.command import command
from ounce_services.devices.report import FleetReport, Phase
from ounce_services.devices.samples import Samples

from tests.services.fake_worker import FakeWorker
from tests.support.kafka.topics import OwnTopics


def run(kafka: str, models: Path, *more: str) -> Result:
    arguments = ["--task", "toy", "--kafka", kafka, "--models", str(models), "--duration", "1"]
    mix = ["--targets", "500:0.9:2", "--targets", "1000:0.5:1", "--targets", "-:-:1"]
    result = CliRunner().invoke(command, [*arguments, *mix, *more], standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result


def serve(samples: Samples, fate: Callable[[int], str]) -> tuple[EmbeddedBroker, FakeWorker]:
    broker = EmbeddedBroker()
    broker.create_topics(task_topics("toy"))
    return broker, FakeWorker(broker.bootstrap_servers, samples, fate)


def last_report(path: Path) -> FleetReport:
    return msgspec.json.decode(path.read_bytes().splitlines()[-1], type=FleetReport)


def test_all_answered_exits_0(models: Path, samples: Samples, tmp_path: Path) -> None:
    broker, worker = serve(samples, lambda n: "twice" if n % 50 == 3 else "answer")
    path = tmp_path / "report.jsonl"
    with broker, worker:
        result = run(
            broker.bootstrap_servers, models, "--rate", "300", "--report", str(path),
            "--burst-every", "0.5", "--burst-length", "0.1",
        )  # fmt: skip
    assert result.return_value == 0
    report = last_report(path)
    task = report.tasks["toy"]
    assert report.phase is Phase.DONE
    assert task.sent == task.answered == len(worker.seen)
    assert task.sent > 300
    assert task.repeated == len(range(3, task.sent, 50))
    assert (task.waiting, task.dead_letters, task.accuracy.seen) == (0, {}, 1.0)
    assert {floor.min_accuracy for floor in task.floors} == {0.5, 0.9}
    assert {deadline.max_latency_ms for deadline in task.deadlines} == {100, 500, 1000}
    assert sum(floor.labelled_met.answered for floor in task.floors) == task.answered
    assert task.kept_as_labelled == task.answered
    snapshots = [
        msgspec.json.decode(line, type=FleetReport) for line in path.read_bytes().splitlines()
    ]
    assert len(snapshots) >= 3
    assert snapshots[0].phase is Phase.SENDING
    assert "answered" in result.output


@pytest.mark.kafka
def test_requests_that_are_too_large_for_their_topic_are_told_of(
    kafka: str, topics: OwnTopics, models: Path, samples: Samples, tmp_path: Path
) -> None:
    topics.of_task("toy")
    wide = TensorSpec(name="input", datatype="FP32", shape=(300_000,))
    spec = samples.spec.model_copy(update={"inputs": (wide,)})
    (models / "toy" / TASK_FILE).write_text(spec.model_dump_json())
    inputs = np.random.default_rng(0).normal(size=(2, *wide.shape)).astype(np.float32)
    np.savez(models / "toy" / TEST_SPLIT_FILE, input=inputs, targets=np.array([0, 1]))
    path = tmp_path / "report.jsonl"
    result = run(kafka, models, "--rate", "5", "--json-share", "0", "--report", str(path))
    task = last_report(path).tasks["toy"]
    assert (result.return_value, task.undelivered, task.waiting) == (1, task.sent, 0)


def test_what_gets_no_answer_exits_1(models: Path, samples: Samples, tmp_path: Path) -> None:
    fates = {1: "nothing", 2: "dead-letter", 3: "wrong", 4: "nothing"}
    broker, worker = serve(samples, lambda n: fates.get(n, "answer"))
    path = tmp_path / "report.jsonl"
    with broker, worker:
        result = run(
            broker.bootstrap_servers, models, "--rate", "50", "--report", str(path),
            "--patience-s", "0.5",
        )  # fmt: skip
    assert result.return_value == 1
    task = last_report(path).tasks["toy"]
    assert (task.waiting, task.dead_letters, task.unanswered) == (2, {"model-failed": 1}, 3)
    assert task.answered - task.accuracy.correct == 1


def read_all(kafka: str, topic: str, n: int) -> list[Message]:
    """The first `n` records of a topic, and any that come right after."""
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": "test", "fetch.wait.max.ms": 10})
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(4)])
    found: list[Message] = []
    while len(found) < n:
        messages = consumer.consume(n - len(found), 5)
        assert messages, f"{len(found)} of {n} records in {topic}"
        found += messages
    found += consumer.consume(1000, 0.3)
    consumer.close()
    return found


def test_the_truth_of_a_share_follows_the_answers(
    models: Path, samples: Samples, tmp_path: Path
) -> None:
    broker, worker = serve(samples, lambda n: ("answer", "wrong", "twice", "dead-letter")[n % 4])
    path = tmp_path / "report.jsonl"
    kafka = broker.bootstrap_servers
    with broker:
        with worker:
            result = run(
                kafka, models, "--rate", "300", "--report", str(path), "--burst-factor", "1",
                "--label-share", "0.5", "--label-delay", "0.3",
            )  # fmt: skip
        report = last_report(path).tasks["toy"]
        labels = read_all(kafka, labels_topic("toy"), report.labels)
        answers = read_all(kafka, predictions_topic("toy"), report.answered)
    assert len(labels) == report.labels
    assert 0.4 < report.labels / report.answered < 0.6
    assert f"labels {report.labels}" in result.output
    of = {msgspec.json.decode(a.value() or b"", type=Prediction).id: a for a in answers}
    right = bare = 0
    for record in labels:
        label = msgspec.json.decode(record.value() or b"", type=Label)
        answer = of.pop(label.id or "")  # pop: each request gets one label at most
        prediction = msgspec.json.decode(answer.value() or b"", type=Prediction)
        assert record.key() == answer.key()
        assert record.timestamp()[1] >= answer.timestamp()[1] + 300
        assert label.label in samples.spec.labels
        bare += prediction.id.startswith("ounce.toy.requests-")
        right += prediction.outputs[0].data == [label.label]
    assert 0.5 < right / len(labels) < 0.8  # one answer in three is wrong
    assert bare > 0


def test_labels_that_come_too_late_are_not_waited_for(
    models: Path, samples: Samples, tmp_path: Path
) -> None:
    broker, worker = serve(samples, lambda n: "answer")
    path = tmp_path / "report.jsonl"
    with broker, worker:
        result = run(
            broker.bootstrap_servers, models, "--rate", "50", "--report", str(path),
            "--label-share", "1", "--label-delay", "1000", "--patience-s", "0.5",
        )  # fmt: skip
    assert result.return_value == 0
    assert last_report(path).tasks["toy"].labels == 0


def test_absent_broker_and_absent_topics(models: Path) -> None:
    with pytest.raises(BrokerError, match="no Kafka at"):
        run("127.0.0.1:1", models, "--kafka-timeout-s", "0.3")
    # A broker of its own: on a shared one other tests may have made this topic.
    with (
        EmbeddedBroker() as broker,
        pytest.raises(BrokerError, match=r"no topic ounce\.toy\.requests"),
    ):
        run(broker.bootstrap_servers, models)


def test_absent_split_is_found_before_kafka(models: Path) -> None:
    (models / "toy" / TEST_SPLIT_FILE).unlink()
    with pytest.raises(ArtifactError, match="test-split"):
        run("127.0.0.1:1", models)


def test_no_cards_and_no_targets_says_what_to_do(models: Path) -> None:
    arguments = ["--task", "toy", "--kafka", "127.0.0.1:1", "--models", str(models)]
    result = CliRunner().invoke(command, arguments)
    assert isinstance(result.exception, ArtifactError)
    assert "--targets" in str(result.exception)


def test_help_shows_an_example() -> None:
    assert "Example: ounce devices" in CliRunner().invoke(command, ["--help"]).output


def test_inputs_are_sent_unchanged(models: Path, samples: Samples) -> None:
    broker, worker = serve(samples, lambda n: "answer")
    with broker, worker:
        run(broker.bootstrap_servers, models, "--rate", "100", "--json-share", "0")
    known = {samples.inputs["input"][i].tobytes() for i in range(len(samples))}
    assert {message.value() for message in worker.seen} <= known
    assert np.unique([message.key() for message in worker.seen]).size > 5
