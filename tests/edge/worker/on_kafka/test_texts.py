"""A worker that serves a text task on a real Kafka: any script, and letters for what is no text."""

import json
from pathlib import Path

import pytest
from ounce_schemas.dead_letter import HEADER_REASON

from tests.exporters.tasks.table.test_sentences import messages
from tests.support.exporters.commands import trained
from tests.support.kafka.topics import OwnTopics
from tests.support.process.worker import PATIENT, Device
from tests.support.process.workers import Workers

pytestmark = pytest.mark.kafka

TASK = "messages"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A linear model of spam."""
    folder = tmp_path_factory.mktemp("models")
    messages().to_csv(folder / "messages.csv", index=False)
    options = ["--target=kind", "--only=hashed-linear"]
    data = f"--data={folder / 'messages.csv'}"
    return trained(folder, data, *options)


def request(text: str) -> bytes:
    tensor = {"name": "text", "shape": [1, 1], "datatype": "BYTES", "data": [text]}
    return json.dumps({"inputs": [tensor]}).encode()


def test_texts_are_answered_and_what_is_none_gets_a_letter(
    topics: OwnTopics, workers: Workers, device: Device, tmp_path: Path
) -> None:
    topics.of_task(TASK)
    good = {
        "spam": request("hello, FREE ENTRY TO A DRAW for you"),
        "ham": request("please bring me some bread when you call"),
        "flat": json.dumps({"text": "win A PRIZE now, urgent claim your cash"}).encode(),
        "empty": request(""),
        "scripts": request("\u4f60\u597d \u043c\u0438\u0440 \U0001f600 free"),
        "long": request("bread " * 50_000),
    }
    bad = {
        "huge": request("x" * 600_000),  # and its brackets: beyond the policy's limit
        "latin-1": request("caf_ is open").replace(b"_", b"\xe9"),
        "numbers": request("1").replace(b'["1"]', b"[1]"),
        "half": request("a \ud800 b"),
    }
    with workers(f"--policy={limited(tmp_path)}"):
        for name, body in {**good, **bad}.items():
            device.send(body, [("ce_id", name.encode()), PATIENT, ("ce_minaccuracy", b"0.5")])
        device.flush()
        device.read(len(good) + len(bad))
    answers = {answer.id: answer.outputs[0].data[0] for answer in device.answers()}
    assert answers.keys() == good.keys()
    assert answers["spam"] == "spam"
    assert answers["flat"] == "spam"
    assert answers["ham"] == "ham"
    reasons = [dict(letter.headers() or [])[HEADER_REASON] for letter in device.dead_letters]
    assert sorted(reasons) == [
        b"malformed-json", b"malformed-json", b"too-large", b"wrong-datatype"]  # fmt: skip


def limited(folder: Path) -> Path:
    """A policy whose limit is below that of Kafka."""
    path = folder / "policy.json"
    path.write_text(json.dumps({"max_body_bytes": 600_000}))
    return path
