"""The worker process on a real Kafka: bad input, floors, restarts."""

import json
import re
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ounce_schemas.errors import Reason

from tests.support.kafka.digits_group import committed
from tests.support.kafka.topics import OwnTopics
from tests.support.process.worker import Device, Worker
from tests.support.process.workers import Workers

pytestmark = pytest.mark.kafka

JSON = ("content-type", b"application/json")


def tensor(values: Any, **changes: Any) -> bytes:
    of = {"name": "input", "shape": [1, 64], "datatype": "FP32", "data": values} | changes
    return json.dumps({"inputs": [of]}).encode()


def bad_records(good: np.ndarray) -> list[tuple[bytes | None, Any, Reason]]:
    """One of each kind of record that can't be served."""
    raw, flat = good.tobytes(), good.tolist()
    nan = good.copy()
    nan[3] = np.nan
    infinite = good.copy()
    infinite[3] = np.inf
    return [
        (b"{not json", [JSON], Reason.MALFORMED_JSON),
        (tensor((good * 0.5 + 0.25).tolist(), datatype="INT64"), [JSON], Reason.WRONG_DATATYPE),
        (tensor(flat, shape=[8, 8]), [JSON], Reason.WRONG_SHAPE),
        (tensor(flat, shape=[64, 1, 1]), [JSON], Reason.WRONG_SHAPE),
        (tensor(flat[:-1]), [JSON], Reason.WRONG_LENGTH),
        (raw[:-4], None, Reason.WRONG_LENGTH),
        (nan.tobytes(), None, Reason.NOT_FINITE),
        (infinite.tobytes(), None, Reason.NOT_FINITE),
        (tensor(flat, name="image"), [JSON], Reason.UNKNOWN_INPUT),
        (b"x" * 900_000, None, Reason.WRONG_LENGTH),
        (b"x" * 500, [JSON], Reason.MALFORMED_JSON),
        (raw, [("ce_id", b"\xff\xfe")], Reason.BAD_HEADER),
        (raw, [("ce_maxlatencyms", b"-1")], Reason.BAD_TARGET),
        (raw, [("ce_maxlatencyms", b"0")], Reason.BAD_TARGET),
        (raw, [("ce_maxlatencyms", b"1e99")], Reason.BAD_TARGET),
        (raw, [("ce_minaccuracy", b"very")], Reason.BAD_TARGET),
        (raw, [("content-type", b"image/png")], Reason.UNKNOWN_CONTENT_TYPE),
        (None, None, Reason.NULL_VALUE),
    ]


def test_no_bad_record_costs_another_anything(
    kafka: str, topics: OwnTopics, workers: Workers, device: Device, split: Any
) -> None:
    topics.of_task("digits", partitions=1)
    inputs, _ = split
    bad = bad_records(inputs[0])
    for i, (value, headers, _) in enumerate(bad):  # all wait when the worker starts: one batch
        device.send(inputs[i].tobytes(), [("ce_id", b"good-%d" % i), ("x", b"\xff"), ("y", None)])
        device.send(value, headers, key=b"bad-%d" % i)
    device.send(
        inputs[0].tobytes(), [("ce_id", b""), ("ce_maxlatencyms", None), ("content-type", b"")]
    )
    device.send(inputs[0].tobytes(), [("ce_id", b"late"), ("ce_maxlatencyms", b"0.001")])
    for _ in range(2):
        device.send(inputs[0].tobytes(), [("ce_id", b"twice"), ("ce_source", b"/d")])
    device.flush()
    n_good = len(bad) + 4
    with workers() as worker:
        device.read(len(bad) + n_good)
        counts = [rf'ounce_dead_letters_total{{reason="{r}",task="digits"}} [1-9]' for *_, r in bad]
        counts.append(r'ounce_duplicates_total\{task="digits"\} 1\.0')
        worker.wait_until_counted(*counts)
        assert worker.get("/healthz")[0] == 200
        assert worker.child.stop() == 0, worker.child.log_tail()
    answers = {answer.id: answer for answer in device.answers()}
    assert len(device.predictions) == n_good
    assert {f"good-{i}" for i in range(len(bad))} < set(answers)
    assert f"ounce.digits.requests-0-{2 * len(bad)}" in answers  # empty headers say nothing
    late = answers["late"].parameters
    assert (late.deadline_met, late.reason) == (False, "fallback-late")
    twice = [a.parameters.duplicate for a in device.answers() if a.id == "twice"]
    assert sorted(twice) == [False, True]
    letters = {message.key(): message for message in device.dead_letters}
    assert len(letters) == len(device.dead_letters) == len(bad)
    for i, (value, headers, reason) in enumerate(bad):
        letter = letters[b"bad-%d" % i]
        assert letter.value() == value
        found = letter.headers() or []
        assert found[: len(headers or [])] == (headers or [])
        why = dict(found[len(headers or []) :])
        assert why["ounce-dead-letter-reason"] == reason.encode(), (reason, why)
        assert why["ounce-dead-letter-offset"] == b"%d" % (2 * i + 1)
        assert why["ounce-dead-letter-topic"] == b"ounce.digits.requests"
        assert len(why["ounce-dead-letter-text"]) > 20
    assert committed(kafka, workers.group) == len(bad) + n_good


def test_answers_are_right_and_each_floor_gets_its_model(
    topics: OwnTopics, workers: Workers, device: Device, split: Any
) -> None:
    topics.of_task("digits", partitions=3)
    inputs, targets = split
    with workers():
        for i, row in enumerate(inputs):
            floor = b"0.5" if i % 2 else b"0.95"
            headers = [("ce_id", b"%d" % i), ("ce_minaccuracy", floor), ("ce_maxlatencyms", b"9e5")]
            if i % 3:
                device.send(row.tobytes(), headers, key=b"device-%d" % (i % 7))
            else:
                device.send(tensor(row.tolist()), [*headers, JSON], key=b"device-%d" % (i % 7))
        device.flush()
        device.read(len(inputs))
    answers = {int(answer.id): answer for answer in device.answers()}
    assert sorted(answers) == list(range(len(inputs)))
    by_plan: dict[tuple[str, float], list[bool]] = {}
    for i, answer in answers.items():
        decision = answer.parameters
        by_plan.setdefault((decision.plan, decision.expected_accuracy), []).append(
            answer.outputs[0].data == [str(targets[i])]
        )
        assert decision.deadline_met
        assert decision.floor_met
        assert answer.model_name in decision.plan
        # Under the low floor the cheapest of all answers: which, this machine says.
        assert i % 2 or decision.expected_accuracy > 0.95
        assert len(answer.outputs) == (2 if i % 3 else 3)
    for (plan, promised), right in by_plan.items():
        # Four standard errors of a share, so that chance alone fails once in 10,000
        margin = 4 * (promised * (1 - promised) / len(right)) ** 0.5 + 1 / len(right)
        assert np.mean(right) > promised - margin, plan
    partitions: dict[bytes | None, set[int | None]] = {}
    for message in device.predictions:
        partitions.setdefault(message.key(), set()).add(message.partition())
    assert set(partitions) == {b"device-%d" % i for i in range(7)}
    assert all(len(found) == 1 for found in partitions.values())


def test_too_many_waiting_requests_pause_the_partitions(
    topics: OwnTopics, workers: Workers, device: Device, split: Any
) -> None:
    topics.of_task("digits", partitions=2)
    inputs, _ = split
    # A slice is as long as four groups take beside their calls: it answers tens of requests, and
    # more have to wait. Polls are larger, so that the room fills.
    options = ["--max-waiting=1000", "--slice-ms=0.02"]
    hurried = [("ce_maxlatencyms", b"0.2")]
    for i in range(6000):
        device.send(inputs[i % len(inputs)].tobytes(), hurried, key=b"device-%d" % i)
    device.flush()
    with workers(*options) as worker:
        device.read(6000)
        _, metrics = worker.get("/metrics")
    pauses = re.search(r"ounce_pauses_total ([0-9.]+)", metrics)
    assert pauses is not None
    assert float(pauses[1]) >= 5
    assert len({answer.id for answer in device.answers()}) == 6000


def test_a_killed_worker_loses_nothing(
    topics: OwnTopics, workers: Workers, device: Device, split: Any
) -> None:
    topics.of_task("digits", partitions=2)
    inputs, _ = split
    total, sent = 6000, 0
    # A member that died is missed after the session timeout; until then it holds its partitions.
    options = ["--max-batch=100", "--session-timeout-ms=3000"]
    for number in range(3):
        with workers(*options, log=f"log-{number}") as worker:
            until = total * (number + 1) // 3
            for sent in range(sent, until):  # noqa: B020  goes on where the last worker was killed
                device.send(
                    inputs[sent % len(inputs)].tobytes(),
                    [("ce_id", b"%d" % sent)],
                    key=b"%d" % (sent % 50),
                )
            sent = until
            device.flush()
            if number < 2:
                device.read(until // 2)
                worker.child.process.send_signal(signal.SIGKILL)
                worker.child.process.wait()
            else:
                wanted = {str(i) for i in range(total)}
                deadline = time.monotonic() + 60
                while not wanted <= {a.id for a in device.answers()}:
                    assert time.monotonic() < deadline, "answers are missing"
                    device.read(len(device.predictions) + 1)
    assert device.dead_letters == []


def test_one_worker_refuses_a_bad_model_by_name_and_serves_the_others(
    kafka: str,
    topics: OwnTopics,
    digits_models: Path,
    device: Device,
    split: Any,
    tmp_path: Path,
    consumer_group: str,
) -> None:
    topics.of_task("digits")
    models = tmp_path / "models"
    shutil.copytree(digits_models, models)
    with (models / "digits" / "mlp" / "model.onnx").open("ab") as file:
        file.write(b"x")
    tree = models / "digits" / "decision-tree"
    edit(tree / "card.json", task="other")
    with Worker(kafka, models, tmp_path / "log", [f"--group={consumer_group}"]) as worker:
        device.send(split[0][0].tobytes())
        device.flush()
        device.read(1)
        _, metrics = worker.get("/metrics")
    log = (tmp_path / "log").read_text()
    assert re.search(
        r"model refused task=digits model=mlp reason=.*sha256 .* is not the card's", log
    )
    assert re.search(r"model refused task=digits model=decision-tree .*card of other/decision", log)
    assert [a.model_name for a in device.answers()] == ["logistic-regression"]
    assert 'ounce_models_refused{task="digits"} 2.0' in metrics


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
