"""What keeps a worker from starting is told in one clear line."""

import shutil
import socket
import sys
from pathlib import Path

import pytest
from ounce_edge.worker import startup

from tests.support.edge.bad_runtime import make_absent
from tests.support.kafka.topics import OwnTopics
from tests.support.process.command import ounce, the_line
from tests.support.process.wait import wait_until
from tests.support.process.worker import Worker


def fails(*arguments: str, env: dict[str, str] | None = None) -> str:
    """The error of `ounce worker`, which does not start."""
    result = ounce("worker", *arguments, env=env)
    assert result.code != 0, result.stderr
    return the_line(result.stderr)


def test_errors_at_start_up_are_one_clear_line(
    kafka: str, topics: OwnTopics, digits_models: Path, tmp_path: Path
) -> None:
    usual = ["--task=digits", f"--kafka={kafka}", f"--models={digits_models}", "--metrics-port=0"]
    assert "has no topic ounce.digits.requests, ounce.digits.predictions" in fails(*usual)
    topics.of_task("digits")
    assert "no task.json there; make the ladder with `ounce train digits" in fails(
        *usual, "--models", str(tmp_path)
    )
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert f"can't listen on 0.0.0.0:{port}" in fails(*usual, "--metrics-port", port)
    policy = tmp_path / "policy.yaml"
    policy.write_text("max_latency_ms: -5\ntask: {}")
    error = fails(*usual, "--policy", str(policy))
    assert "max_latency_ms: Input should be greater than 0 (given: '-5')" in error
    assert "task: unknown field" in error
    policy.write_text("{")
    assert "not valid YAML" in fails(*usual, f"--policy={policy}")
    policy.write_text("tasks: {digits: {allow: [huge]}}")
    assert "has no model ['huge']" in fails(*usual, f"--policy={policy}")
    models = tmp_path / "models"
    shutil.copytree(digits_models, models)
    for path in models.glob("digits/*/model.onnx"):
        path.write_bytes(b"not an ONNX file")
    assert "no model can serve: decision-tree: " in fails(*usual, f"--models={models}")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            ["--task=../digits", "--kafka=x:1"],
            "task.0: use lower-case letters, digits and '-', 63 at most (given: ",
        ),
        (["--task=digits"], "Missing option '--kafka'"),
        (["--kafka=x:1"], "Missing option '--task'"),
        (["--task=digits", "--kafka=x:1", "--metrics-port=many"], "metrics_port: "),
        (["--task=digits", "--kafka=x:1", "--threads=0"], "threads: "),
        (["--task=digits", "--kafka=x:1", "--colour"], "No such option"),
    ],
)
def test_wrong_arguments_are_one_clear_line(arguments: list[str], text: str) -> None:
    port = [] if "port" in str(arguments) else ["--metrics-port=0"]
    result = ounce("worker", *arguments, *port)
    assert result.code == 2
    assert text in the_line(result.stderr)


def test_a_start_that_waits_for_kafka_says_so(tmp_path: Path) -> None:
    worker = Worker("127.0.0.1:1", tmp_path, tmp_path / "log")
    why = "Kafka at 127.0.0.1:1 has not answered yet\n"
    try:
        wait_until(lambda: worker.get("/readyz") == (503, why), worker.child.log_tail)
        assert worker.get("/healthz") == (200, f"alive, not ready: {why}")
    finally:
        worker.child.kill()


def test_a_broker_that_is_not_there_is_one_clear_line() -> None:
    usual = ["--task=digits", "--kafka=127.0.0.1:1", "--metrics-port=0"]
    assert "no Kafka at 127.0.0.1:1" in fails(*usual, "--kafka-timeout-s=1")


@pytest.mark.parametrize("process", ["worker", "doctor", "gateway", "http"])
def test_tasks_that_read_the_same_topic_need_processes_of_their_own(
    tmp_path: Path, process: str
) -> None:
    names = tmp_path / "topics.yaml"
    names.write_text("tasks: {a: {requests: sensors}, b: {requests: sensors}}")
    more = ["--map=+device/+task"] if process == "gateway" else []
    asked = ["--task=a", "--task=b", "--kafka=x:1", *more]
    result = ounce(process, *asked, env={"OUNCE_TOPICS": str(names)})
    assert result.code == 2
    text = "tasks a and b read the same topic, sensors: each needs processes and a --group of its"
    assert text in the_line(result.stderr)


def test_a_gpu_that_is_absent_is_told_before_kafka_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(startup, "OnnxCudaRuntime", make_absent)
    words = "--task=digits --runtime=cuda --kafka=127.0.0.1:1 --metrics-port=0"
    assert fails(*words.split(), "--kafka-timeout-s=1") == "ounce: no such GPU"


@pytest.mark.parametrize(
    ("option", "extra"), [("--traces", "ounce[tracing]"), ("--schema-registry", "ounce[registry]")]
)
def test_a_package_that_is_missing_is_told_before_kafka_is_asked(
    option: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ounce_edge.telemetry.otlp", None)
    monkeypatch.setattr(startup, "_FOR_REGISTRY", ("absent_package",))
    words = "--task=digits --kafka=127.0.0.1:1 --metrics-port=0 --kafka-timeout-s=1"
    told = fails(*words.split(), f"{option}=http://127.0.0.1:1")
    assert told.startswith(f"ounce: {option} needs the package "), told
    assert extra in told


def test_every_option_is_a_setting_too(kafka: str, topics: OwnTopics, tmp_path: Path) -> None:
    topics.of_task("digits")
    environment = {
        "OUNCE_TASK": "digits",
        "OUNCE_KAFKA": kafka,
        "OUNCE_MODELS": str(tmp_path),
        "OUNCE_METRICS_PORT": "0",
    }
    assert f"{tmp_path}/digits: no task.json there" in fails(env=environment)
