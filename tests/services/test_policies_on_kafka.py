"""Versions of the policy on a real Kafka, and a worker that follows them."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from confluent_kafka import Producer
from ounce_schemas.errors import PolicyError
from ounce_schemas.policy_history import Change
from ounce_schemas.topics import events_topic, policies_topic
from ounce_services.policies.command import command
from ounce_services.policies.topic import PolicyTopic

from tests.support.kafka.topics import OwnTopics
from tests.support.process.worker import Device, Worker

pytestmark = pytest.mark.kafka


def change(text: str) -> Change:
    return Change(text, "ann", "a note")


@pytest.fixture
def policies(topics: OwnTopics) -> OwnTopics:
    topics.made_by_others(policies_topic())
    return topics


def test_versions_are_appended_listed_and_taken_back(
    kafka: str, policies: OwnTopics, tmp_path: Path
) -> None:
    def run(*arguments: str) -> Any:
        return CliRunner().invoke(command, [*arguments, "--kafka", kafka], catch_exceptions=True)

    file, bare = tmp_path / "p.yaml", ["--models", str(tmp_path)]
    assert "no version was applied yet" in run("history").output
    for floor in (0.5, 0.6):
        file.write_text(f"min_accuracy: {floor}\n")
        assert run("apply", str(file), "--author", "ann", *bare).exit_code == 0
    assert run("diff", str(file)).output == f"{file} is v2\n"
    file.write_text("min_accuracy: 0.7\n")
    diff = run("diff", str(file))
    assert "-min_accuracy: 0.6\n+min_accuracy: 0.7" in diff.output
    stale = run("apply", str(file), "--base", "1", *bare)
    assert isinstance(stale.exception, PolicyError)
    assert "version 2 is in force by ann" in str(stale.exception)
    file.write_text("rules: [{name: a}, {name: b}]")
    broken = run("apply", str(file), *bare)
    assert "error: rule b: is never met" in broken.output
    assert isinstance(broken.exception, PolicyError)
    back = run("rollback", "1", "--note", "too high", "--author", "bob")
    assert back.output == "v3 is in force, the policy of v1 again\n"
    lines = run("history").output.splitlines()
    assert [line.split()[0] for line in lines] == ["version", "v3", "v2", "v1"]
    assert lines[1].endswith("bob     again v1; too high")
    assert run("show").output == "min_accuracy: 0.5\n"
    assert run("show", "2").output == "min_accuracy: 0.6\n"


def test_of_two_who_apply_at_once_one_is_refused_and_its_record_is_taken_back(
    kafka: str, policies: OwnTopics
) -> None:
    topic = PolicyTopic(kafka)
    topic.append(topic.history(), change("{}"))
    seen = topic.history()
    topic.append(seen, change("{min_accuracy: 0.5}"))
    with pytest.raises(PolicyError, match="somebody wrote version 2 of the policy meanwhile by"):
        topic.append(seen, change("{min_accuracy: 0.6}"))
    versions = topic.history().versions
    assert [v.document for v in versions.values()] == ["{}", "{min_accuracy: 0.5}"]
    topic.append(topic.history(), change("{min_accuracy: 0.6}"))
    assert len(topic.history().versions) == 3


@pytest.mark.parametrize(
    ("partitions", "config", "message"),
    [
        (1, {}, "has cleanup.policy=delete, so it would drop versions"),
        (1, {"cleanup.policy": "compact,delete"}, "has cleanup.policy=compact,delete"),
        (3, {"cleanup.policy": "compact"}, "has 3 partitions"),
    ],
)
def test_a_topic_that_would_lose_versions_is_refused(
    kafka: str, topics: OwnTopics, partitions: int, config: dict[str, str], message: str
) -> None:
    topics.make([policies_topic()], partitions, config)
    topic = PolicyTopic(kafka)
    with pytest.raises(PolicyError, match=message):
        topic.history()


@pytest.mark.parametrize("delivery", ["at-least-once", "exactly-once"])
def test_a_worker_changes_between_two_batches_and_answers_everything_once(
    kafka: str,
    policies: OwnTopics,
    digits_models: Path,
    device: Device,
    tmp_path: Path,
    consumer_group: str,
    delivery: str,
) -> None:
    policies.of_task("digits")
    policies.make([events_topic()])
    with np.load(digits_models / "digits" / "test-split.npz") as arrays:
        body = arrays["input"][0].astype("<f4").tobytes()
    topic = PolicyTopic(kafka)
    topic.append(topic.history(), change("{min_accuracy: 0.5}"))
    options = [
        f"--group={consumer_group}",
        f"--delivery={delivery}",
        "--follow-policies",
        f"--state={tmp_path / 'state'}",
    ]
    sent = 0

    def send_until(done: Callable[[], bool]) -> None:
        nonlocal sent
        until_s = time.monotonic() + 90
        while not done() and time.monotonic() < until_s:
            for _ in range(20):
                headers = [("ce_id", b"%d" % sent), ("ce_tenant", b"acme")]
                device.send(body, headers)
                sent += 1
            device.flush()
            device.read_more()
        assert done()

    def latest() -> str:
        answers = device.answers()
        return answers[-1].parameters.policy_version if answers else ""

    with Worker(kafka, digits_models, tmp_path / "log", options) as worker:
        device.read(0)
        send_until(lambda: latest() == "v1")
        rule = "rules: [{name: r, when: {tenant: acme}, allow: [mlp]}]"
        topic.append(topic.history(), change(rule))
        send_until(lambda: latest() == "v2")
        topic.append(topic.history(), change("tasks: {digits: {allow: [typo]}}"))
        send_until(lambda: "policy-refused" in (tmp_path / "log").read_text())
        producer = Producer({"bootstrap.servers": kafka})
        producer.produce(policies_topic(), b"junk", b"junk")
        producer.flush(60)
        topic.append(topic.history(), change("{min_accuracy: 0.6}"))
        send_until(lambda: latest() == "v4")
        device.read(sent)
        status = CliRunner().invoke(command, ["status", "--kafka", kafka])
        assert "ounce_policy_info" in worker.get("/metrics")[1]
        assert worker.child.stop() == 0, worker.child.log_tail()
    answers = device.answers()
    assert sorted(int(a.id) for a in answers) == list(range(sent))
    assert {a.parameters.policy_version for a in answers} == {"v1", "v2", "v4"}
    of_rule = {a.model_name for a in answers if a.parameters.policy_version == "v2"}
    assert of_rule == {"mlp"}
    assert status.exit_code == 0, status.output
    assert "in force: v4" in status.output
    assert (tmp_path / "state" / "policy.json").is_file()


def test_the_command_says_what_is_not_there(kafka: str, policies: OwnTopics) -> None:
    for arguments in (["show"], ["rollback", "3"], ["status"]):
        result = CliRunner().invoke(command, [*arguments, "--kafka", kafka])
        assert isinstance(result.exception, PolicyError)
