"""`ounce ask --local`: rows of a person's table against a real ladder, without Kafka."""

import json
import logging
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from ounce_schemas.errors import BrokerError
from ounce_services.client import Client
from ounce_services.client.ask_command import command

from tests.support.kafka.topics import OwnTopics, configure
from tests.support.process.wait import wait_until

GOOD = "[" + ",".join(["8"] * 64) + "]"


def run(models: Path, *words: str) -> Any:
    options = ["digits", "--local", f"--models={models}", *words]
    return CliRunner().invoke(command, options, standalone_mode=False)


def test_one_request_is_shown_in_full(digits_models: Path) -> None:
    result = run(digits_models, "--data", GOOD, "--min-accuracy", "0.5")
    assert result.return_value == 0, result.output
    shown = {line.split()[0] for line in result.stdout.splitlines()}
    assert shown >= {"answer", "model", "plan", "accuracy", "time", "id"}


def test_a_floor_that_is_missed_although_more_is_expected_is_told_as_unsure(
    digits_models: Path,
) -> None:
    result = run(digits_models, "--data", GOOD, "--min-accuracy", "1")
    assert "floor 1 missed: the plan is not sure of it" in result.stdout


def test_a_request_of_several_rows_shows_the_answer_to_each(digits_models: Path) -> None:
    result = run(digits_models, "--data", f"[{GOOD}, {GOOD}, {GOOD}]", "--min-accuracy", "0.5")
    assert result.return_value == 0, result.output
    shown = next(line for line in result.stdout.splitlines() if line.startswith("answer"))
    assert len(shown.split(", ")) == 3


def test_where_nothing_explains_that_is_said(digits_models: Path) -> None:
    result = run(digits_models, "--data", GOOD, "--min-accuracy", "0.5", "--explain")
    assert result.return_value == 0, result.output
    shown = next(line for line in result.stdout.splitlines() if line.startswith("explained"))
    assert "none of the models that may answer explains" in shown or " = " in shown


def test_a_refusal_says_why_and_exits_1(digits_models: Path) -> None:
    result = run(digits_models, "--data", "[1, 2]")
    assert result.return_value == 1
    assert "refused     wrong-length: input 'input' has 2 values" in result.stdout
    assert "For example: " in result.stdout


def test_each_row_of_a_file_is_answered(digits_models: Path, tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(f"{GOOD}\n[1]\n{GOOD}\n")
    result = run(digits_models, f"--file={file}", "--json-lines")
    first, second, third = map(json.loads, result.stdout.splitlines())
    assert first["model_name"] == third["model_name"]
    assert second["reason"] == "wrong-length"
    assert result.return_value == 1
    file = tmp_path / "digit.bin"
    file.write_bytes(np.full(64, 8, "<f4").tobytes())
    assert run(digits_models, f"--file={file}").return_value == 0


def test_a_bad_row_of_a_table_costs_no_other(digits_models: Path, tmp_path: Path) -> None:
    noted = logging.getLogger("ounce_edge").level
    file = tmp_path / "rows.csv"
    good, short = ",".join(["8"] * 64), ",".join(["8"] * 63)
    file.write_text("\n".join([good, short, short, good, good, good]))
    result = run(digits_models, f"--file={file}", "--min-accuracy", "0.5")
    lines = result.stdout.splitlines()
    assert "wrong-length: " in lines[1]
    assert lines[2].split(maxsplit=1) == ["3", "the same"]
    assert "4 of 6 answered" in result.stderr
    assert result.return_value == 1
    assert logging.getLogger("ounce_edge").level == noted


def test_a_task_that_is_absent_is_named_with_those_there(digits_models: Path) -> None:
    options = ["digit", "--local", f"--models={digits_models}", "--data", GOOD]
    result = CliRunner().invoke(command, options, standalone_mode=False)
    assert f"name a task that {digits_models} has: " in str(result.exception)
    assert "digits" in str(result.exception).rpartition("has: ")[2]


@pytest.mark.kafka
def test_the_same_over_kafka(digits_models: Path, kafka: str, topics: Any, tmp_path: Path) -> None:
    from tests.support.process.worker import Worker

    topics.of_task("digits", partitions=2)
    (tmp_path / "rows.jsonl").write_text(f"{GOOD}\n[1]\n{GOOD}\n")
    with Worker(kafka, digits_models, tmp_path / "log", ["--group=ask"]):
        words = ["digits", f"--kafka={kafka}", f"--file={tmp_path / 'rows.jsonl'}"]
        result = CliRunner().invoke(command, words, standalone_mode=False)
    assert "2 of 3 answered" in result.stderr
    assert "wrong-length: input 'input' has 1 value" in result.stdout


@pytest.mark.kafka
def test_a_request_that_is_too_large_is_told_as_that(
    kafka: str, topics: OwnTopics, caplog: pytest.LogCaptureFixture
) -> None:
    requests, *_ = topics.of_task("digits")
    configure(kafka, requests, max_message_bytes=2000)
    with Client(kafka, "digits", timeout_s=60) as client:
        for n_bytes in (2100, 1_200_000):
            text = f"{requests} takes no request of {n_bytes:,} bytes: send fewer rows at once"
            with pytest.raises(BrokerError, match=text):
                client.ask(np.random.default_rng(0).bytes(n_bytes))
        assert not caplog.records
        client.send(np.random.default_rng(0).bytes(1_200_000), id="large")
    assert f"request large is lost: {requests} takes no request of 1,200,000" in caplog.text


@pytest.mark.kafka
def test_a_label_of_the_client_joins_its_answer(
    digits_models: Path, kafka: str, topics: Any, tmp_path: Path
) -> None:
    from tests.support.process.worker import Worker

    topics.of_task("digits", partitions=2)
    with (
        Worker(kafka, digits_models, tmp_path / "log", ["--group=labels"]) as worker,
        Client(kafka, "digits", timeout_s=60) as client,
    ):
        first, second = (client.ask(json.loads(GOOD), device=name) for name in ("client", "other"))
        client.label(first.id, label=first.label)
        client.label(second.id, label=int(str(second.label)), device="other")
        client.label(second.id, label=8, device=None)
        client.label(second.id, label="ten", device="other")
        joined = {"joined": 2, "repeated": 1, "invalid": 1}
        wait_until(lambda: outcomes(worker) == joined, worker.child.log_tail)


def outcomes(worker: Any) -> dict[str, int]:
    """What became of labels at a worker, by its metrics."""
    series = re.compile(
        r'^ounce_labels_total\{outcome="(\w+)",task="digits"\} (\S+)$', re.MULTILINE
    )
    found = series.findall(worker.get("/metrics")[1])
    return {name: int(float(n)) for name, n in found if float(n)}
