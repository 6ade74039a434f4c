"""A canary on a real Kafka: started by command, stopped by the workers, nothing lost."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from ounce_schemas.errors import PolicyError
from ounce_schemas.policy_history import Change
from ounce_schemas.topics import (
    canaries_topic,
    events_topic,
    policies_topic,
    shadow_topic,
)
from ounce_services.policies.command import command
from ounce_services.policies.topic import PolicyTopic

from tests.support.kafka.topics import OwnTopics
from tests.support.process.worker import Device, Worker

pytestmark = pytest.mark.kafka
_PATIENCE_S = 120.0


def run(kafka: str, *arguments: str) -> Any:
    return CliRunner().invoke(command, [*arguments, "--kafka", kafka], standalone_mode=False)


@pytest.fixture
def canaries(topics: OwnTopics) -> OwnTopics:
    topics.of_task("digits", partitions=2)
    topics.make([events_topic()])
    topics.made_by_others(policies_topic())
    topics.made_by_others(canaries_topic())
    return topics


def test_a_canary_that_misses_deadlines_is_stopped_on_all_workers_and_nothing_is_lost(
    kafka: str,
    canaries: OwnTopics,
    digits_models: Path,
    device: Device,
    tmp_path: Path,
    consumer_group: str,
) -> None:
    with np.load(digits_models / "digits" / "test-split.npz") as arrays:
        body = arrays["input"][0].astype("<f4").tobytes()
    topic = PolicyTopic(kafka)
    baseline = "{min_accuracy: 0.5}"
    topic.append(topic.history(), Change(baseline, "ann"))
    file = tmp_path / "worse.yaml"
    file.write_text("{min_accuracy: 0.5, max_latency_ms: 0.001}")
    absent = f"--models={tmp_path}"
    sent = 0

    def send_some() -> None:
        nonlocal sent
        for _ in range(40):
            device.send(body, [("ce_id", b"%d" % sent)], key=b"device-%d" % (sent % 50))
            sent += 1
        device.flush()
        device.read_more()

    options = [f"--group={consumer_group}", "--follow-policies"]
    one = [*options, f"--state={tmp_path / '1'}", "--name=w-1"]
    two = [*options, f"--state={tmp_path / '2'}", "--name=w-2"]
    with (
        Worker(kafka, digits_models, tmp_path / "log1", one) as first,
        Worker(kafka, digits_models, tmp_path / "log2", two) as second,
    ):
        device.read(0)
        started = run(kafka, "canary", "start", str(file), "--share=0.3", absent)
        assert started.exit_code == 0, started.exception
        again = run(kafka, "canary", "start", str(file), "--share=0.3", absent)
        assert isinstance(again.exception, PolicyError)
        assert "v2 has a canary under way" in str(again.exception)
        assert "v2 has a canary" in str(run(kafka, "apply", str(file), absent).exception)
        until_s = time.monotonic() + _PATIENCE_S
        while time.monotonic() < until_s:
            send_some()
            if all(worker.events_of("canary-stopped") for worker in (first, second)):
                break
        for worker in (first, second):
            [why] = worker.events_of("canary-stopped")
            assert "task digits is worse in deadlines by more than 0.01" in why
        n_before = sent
        send_some()
        device.read(sent)
        status = run(kafka, "canary", "status")
        for worker in (first, second):
            assert worker.child.stop() == 0, worker.child.log_tail()
    answers = {int(a.id): a.parameters for a in device.answers()}
    assert len(device.answers()) == sent
    assert answers.keys() == set(range(sent))
    versions = {a.policy_version for a in answers.values()}
    assert {"v2", "v2-canary"} <= versions
    assert {answers[i].policy_version for i in range(n_before, sent)} == {"v2"}
    on_trial = {i % 50 for i, a in answers.items() if a.policy_version == "v2-canary"}
    assert 5 <= len(on_trial) <= 25
    assert status.return_value == 1
    assert "stopped: task digits is worse in deadlines" in status.output
    assert isinstance(run(kafka, "canary", "promote").exception, PolicyError)
    assert run(kafka, "canary", "promote", "--force").exit_code == 0
    assert topic.history().current.document == file.read_text()  # type: ignore[union-attr]


def test_a_shadow_answers_on_its_own_topic_and_is_compared_with_what_was_published(
    kafka: str,
    canaries: OwnTopics,
    digits_models: Path,
    device: Device,
    tmp_path: Path,
    consumer_group: str,
) -> None:
    canaries.made_by_others(shadow_topic("digits"))
    with np.load(digits_models / "digits" / "test-split.npz") as arrays:
        body = arrays["input"][0].astype("<f4").tobytes()
    topic = PolicyTopic(kafka)
    topic.append(topic.history(), Change("{min_accuracy: 0.5}", "ann"))
    file, absent = tmp_path / "p.yaml", f"--models={tmp_path}"
    file.write_text("{max_latency_ms: 1000, tasks: {digits: {allow: [mlp]}}}")
    start = ("shadow", "start", str(file), "--task=digits", "--share=0.5", absent)
    unknown = run(kafka, *start, "--task=typo").exception
    assert "no topic ounce.typo.requests: check the name" in str(unknown)
    assert run(kafka, *start).exception is None
    options = [f"--group={consumer_group}", "--follow-policies", f"--state={tmp_path}"]
    with Worker(kafka, digits_models, tmp_path / "log", options) as worker:
        device.read(0)
        until_s, sent, answered = time.monotonic() + _PATIENCE_S, 0, 'outcome="answered"'
        series = f'ounce_shadow_messages_total{{{answered},task="digits"}}'
        while (worker.value_of(series) or 0) < 50 and time.monotonic() < until_s:
            for _ in range(20):
                device.send(body, [("ce_id", b"%d" % sent)])
                sent += 1
            device.flush()
            device.read_more()
        device.read(sent)
        assert worker.child.stop() == 0, worker.child.log_tail()
    assert len(device.answers()) == sent
    assert {a.parameters.policy_version for a in device.answers()} == {"v2"}
    compared = run(kafka, "shadow", "compare", "digits")
    assert compared.return_value == 0
    assert compared.output.startswith("v2-shadow: ")
    assert run(kafka, "shadow", "stop").output == "v3 has no shadow\n"


def test_a_canary_is_promoted_or_ended_by_command(
    kafka: str, canaries: OwnTopics, tmp_path: Path
) -> None:
    file, absent = tmp_path / "p.yaml", f"--models={tmp_path}"
    file.write_text("min_accuracy: 0.6\n")
    start = ("canary", "start", str(file), "--share=0.1", absent)
    assert "no version" in str(run(kafka, *start).exception)
    topic = PolicyTopic(kafka)
    topic.append(topic.history(), Change("min_accuracy: 0.5\n", "ann"))
    assert "has no canary" in str(run(kafka, "canary", "stop").exception)
    assert run(kafka, *start).exit_code == 0
    assert "no worker saw both policies yet" in run(kafka, "canary", "status").output
    assert run(kafka, "show").output == "min_accuracy: 0.5\n"
    assert run(kafka, "canary", "stop").output == "v3 is in force for all devices\n"
    assert run(kafka, "show").output == "min_accuracy: 0.5\n"
    assert run(kafka, *start).exit_code == 0
    assert run(kafka, "canary", "promote").output == "v5 is in force for all devices\n"
    assert run(kafka, "show").output == "min_accuracy: 0.6\n"
    model = ("canary", "start", "--model=digits/mlp", "--share=0.1", absent)
    assert run(kafka, *model).exit_code == 0
    current = topic.history().current
    assert current is not None
    assert current.policy().tasks["digits"].deny == ("mlp",)
    assert run(kafka, "rollback", "5").exit_code == 0
    assert topic.history().current.canary is None  # type: ignore[union-attr]
    assert json.loads(topic.history().versions[6].model_dump_json())["canary"]["share"] == 0.1


def test_a_model_that_the_task_has_not_is_not_put_on_trial(
    kafka: str, canaries: OwnTopics, digits_models: Path
) -> None:
    topic = PolicyTopic(kafka)
    topic.append(topic.history(), Change("{min_accuracy: 0.5}", "ann"))
    options = ["--share=0.3", f"--models={digits_models}"]
    refused = run(kafka, "canary", "start", "--model=digits/absent", *options)
    assert isinstance(refused.exception, PolicyError), refused.output
    assert "digits/absent: not started; mend the errors" in str(refused.exception)
    assert "error: task digits: " in refused.stderr
    assert "absent" in refused.stderr
    unnamed = run(kafka, "canary", "start", "--model=mlp", *options)
    assert "--model 'mlp' is not TASK/MODEL" in str(unnamed.exception)
    assert [version.number for version in topic.history().versions.values()] == [1]
