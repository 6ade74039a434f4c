"""`ounce dead-letters` on a real Kafka, with a worker that rejects and then answers."""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource

from tests.support.kafka.topics import OwnTopics
from tests.support.process.worker import OUNCE, Device, Worker

pytestmark = pytest.mark.kafka

REQUESTS, DEAD_LETTERS = "ounce.digits.requests", "ounce.digits.dead-letters"
JSON = ("content-type", b"application/json")


class Run:
    """Runs `ounce dead-letters` against one broker."""

    def __init__(self, kafka: str) -> None:
        self._env = {**os.environ, "OUNCE_KAFKA": kafka}

    def __call__(
        self, *arguments: str, code: int = 0, answer: str = ""
    ) -> subprocess.CompletedProcess[str]:
        result = subprocess.run(
            [OUNCE, "dead-letters", *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            env=self._env,
            input=answer,
        )
        assert result.returncode == code, (arguments, result.stdout, result.stderr)
        assert "Traceback" not in result.stderr
        return result

    def raw(self, position: str) -> bytes:
        return subprocess.run(
            [OUNCE, "dead-letters", "show", "digits", position, "--raw"],
            capture_output=True,
            timeout=60,
            env=self._env,
            check=True,
        ).stdout

    def entries(self, *options: str) -> list[dict[str, Any]]:
        lines = self("list", "digits", "--json", *options).stdout.splitlines()
        return [json.loads(line) for line in lines]


@pytest.fixture
def run(kafka: str) -> Run:
    return Run(kafka)


def read_topic(kafka: str, topic: str, n: int, partitions: int = 2) -> list[Message]:
    """All records that a topic holds by now: `n` or more."""
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": "reader"})
    places = [TopicPartition(topic, p, 0) for p in range(partitions)]
    held = sum(consumer.get_watermark_offsets(place, timeout=20)[1] for place in places)
    consumer.assign(places)
    found: list[Message] = []
    deadline = time.monotonic() + 30
    while len(found) < held and time.monotonic() < deadline:
        found += consumer.consume(held - len(found), 1)
    consumer.close()
    assert len(found) == held >= n, f"{len(found)} of {held} records in {topic}, expected {n}"
    return found


def test_bad_records_are_listed_shown_mended_and_answered_once(
    kafka: str,
    topics: OwnTopics,
    digits_models: Path,
    device: Device,
    run: Run,
    tmp_path: Path,
    consumer_group: str,
) -> None:
    topics.of_task("digits", partitions=2)
    assert run("list", "digits").stdout == "no dead letters\n"
    assert "nothing to replay" in run("replay", "digits", "--all").stdout
    with np.load(digits_models / "digits" / "test-split.npz") as arrays:
        good = arrays["input"].astype("<f4")[0]
    tensor = {"name": "input", "shape": [1, 64], "datatype": "FP32", "data": good.tolist()}
    odd = [("x", b"\xff\x00"), ("x", None), ("y", b""), ("ounce-dead-letter-reason", b"mine")]
    short = json.dumps({"id": "in-body", "inputs": [tensor | {"data": [1, 2]}]}).encode()
    bad: list[tuple[bytes, bytes | None, Any]] = [
        (b"short", good.tobytes()[:-4], None),
        (b"\xff\xfe", b"\x00\x1b[2J" * 60, odd),
        (b"json", b'{"inputs": [', [JSON, ("ce_id", b"mine-1")]),
        (b"null", None, [("ce_id", b"")]),
        (b"body", short, [JSON]),
        (b"type", good.tobytes(), [("content-type", b"image/png"), ("ce_id", b"mine-2")]),
    ]
    for key, value, headers in bad:
        device.send(value, headers, key=key)
    device.flush()
    with Worker(kafka, digits_models, tmp_path / "log", [f"--group={consumer_group}"]):
        device.read(len(bad))
        assert not device.predictions
        originals = {m.key(): m for m in read_topic(kafka, REQUESTS, len(bad))}

        entries = {e["key"] or bytes.fromhex(e["key_hex"]): e for e in run.entries()}
        assert {key: e["reason"] for key, e in entries.items()} == {
            "short": "wrong-length",
            b"\xff\xfe": "wrong-length",
            "json": "malformed-json",
            "null": "null-value",
            "body": "wrong-length",
            "type": "unknown-content-type",
        }
        ids = {key: e["id"] for key, e in entries.items()}
        assert (ids["json"], ids["body"], ids["type"]) == ("mine-1", "in-body", "mine-2")
        for key in ("short", "null"):
            m = originals[key.encode()]
            assert ids[key] == f"{REQUESTS}-{m.partition()}-{m.offset()}" == entries[key]["origin"]
        assert {e["attempts"] for e in entries.values()} == {1}
        listed = run("list", "digits").stdout
        assert "6 dead letters: 3 wrong-length, 1 malformed-json, 1 null-value" in listed
        assert "0xfffe" in listed
        assert len(run.entries("--reason", "null-value", "--reason", "malformed-json")) == 2
        assert len(run.entries("--since", "10m", "--limit", "4")) == 4
        future = run("list", "digits", "--since", "2100-01-01").stdout
        assert future == "no dead letters\n"

        odd_one = entries[b"\xff\xfe"]["position"]
        shown = run("show", "digits", odd_one).stdout
        assert "\x1b" not in shown
        for line in ("  x: hex ff00", "  x: null", '  y: ""', "key       0xfffe"):
            assert line in shown
        assert '  ounce-dead-letter-reason: "mine"' in shown
        assert run.raw(odd_one) == bad[1][1]
        assert run.raw(entries["null"]["position"]) == b""
        assert '"shape": [' in run("show", "digits", entries["body"]["position"]).stdout

        # Mended: the answer carries the id that the bare record was known by.
        fixed = tmp_path / "fixed"
        fixed.write_bytes(good.tobytes())
        position = entries["short"]["position"]
        done = run("replay", "digits", position, "--value", str(fixed))
        assert "replayed 1 of 1 dead letter to ounce.digits.requests" in done.stdout
        body = entries["body"]["position"]
        fixed_json = tmp_path / "fixed.json"
        fixed_json.write_text(json.dumps({"inputs": [tensor]}))
        run("replay", "digits", body, "--value", str(fixed_json))
        run(
            "replay", "digits", "--reason", "unknown-content-type",
            "--set-header", "content-type=application/octet-stream", "--yes",
        )  # fmt: skip
        device.read(len(bad) + 3)
        assert {a.id for a in device.answers()} == {ids["short"], "in-body", "mine-2"}
        assert {m.key(): m.partition() for m in device.predictions} == {
            key: originals[key].partition() for key in (b"short", b"body", b"type")
        }
        again = run("replay", "digits", position, code=1)
        assert "replayed before" in again.stderr

        # The others as they came: they fail again, and their history shows.
        dry = run("replay", "digits", "--all", "--dry-run").stdout
        assert "passed over: 3 dead letters, replayed before" in dry
        assert "would replay 3 dead letters" in dry
        refused = run("replay", "digits", "--all", answer="n\n", code=1)
        assert "ounce: nothing was replayed" in refused.stderr
        assert "nothing was replayed" in run("replay", "digits", "--all", code=1).stderr
        assert "replayed 3 of 3 dead letters" in run("replay", "digits", "--all", "--yes").stdout
        device.read(len(bad) + 3 + 3)
        second = {e["position"]: e for e in run.entries()}
        waiting = [e for e in second.values() if not e["replayed_at"]]
        assert [e["attempts"] for e in waiting] == [2, 2, 2]
        assert {e["key"] for e in waiting} == {"json", "null", None}
        assert {e["id"] for e in waiting} == {"mine-1", ids["null"], ids[b"\xff\xfe"]}
        [twice] = [e for e in waiting if e["key"] is None]
        shown = run("show", "digits", twice["position"]).stdout
        before = odd_one.replace(":", "-")
        assert f"tries     2, replayed from {DEAD_LETTERS}-{before}" in shown

        # Byte for byte: but for the id and where it comes from, what is sent is what came.
        requests = read_topic(kafka, REQUESTS, len(bad) + 6)
        of_key = [m for m in requests if m.key() == b"\xff\xfe"]
        [sent] = [m for m in of_key if "ounce-replayed-from" in dict(m.headers() or [])]
        assert sent.value() == bad[1][1]
        assert sent.headers() == [
            *odd,
            ("ce_id", ids[b"\xff\xfe"].encode()),
            ("ounce-replayed-from", f"{DEAD_LETTERS}-{before}".encode()),
        ]
        assert sent.partition() == originals[b"\xff\xfe"].partition()

        # Nothing goes twice: the first ones are marked, the new ones are replayed once.
        run("replay", "digits", "--all", "--yes")
        device.read(len(bad) + 3 + 3 + 3)
        run("replay", "digits", *(e["position"] for e in waiting), "--yes", code=1)
        n = len(bad) + 3 + 3 + 3
        assert len(read_topic(kafka, REQUESTS, n)) == n
        summary = run("list", "digits").stdout.splitlines()[-1]
        assert summary.startswith("12 dead letters: 5 wrong-length (4 replayed)")


def test_a_long_topic_with_foreign_records_replays_once(
    kafka: str, topics: OwnTopics, run: Run
) -> None:
    topics.of_task("digits", partitions=2)
    n = 1700  # several chunks
    producer = Producer({"bootstrap.servers": kafka})
    for i in range(n):
        origin = {
            "reason": "model-failed", "text": f"number {i}", "topic": REQUESTS,
            "partition": str(i % 3), "offset": str(i), "timestamp": "-1",
        }  # fmt: skip
        headers = [(f"ounce-dead-letter-{k}", v.encode()) for k, v in origin.items()]
        producer.produce(DEAD_LETTERS, b"%d" % i, b"k%d" % i, headers=headers)
        if not i % 100:
            producer.produce(DEAD_LETTERS, None, b"\xff", headers=[("", None)])
    producer.flush()
    listed = run("list", "digits")
    assert listed.stdout.endswith(f"{n:,} dead letters: {n:,} model-failed; 17 foreign\n")
    assert "the newest 100 are shown" in listed.stderr
    done = run("replay", "digits", "--all", "--yes").stdout
    assert "passed over: 17 foreign, not dead letters" in done
    assert "replayed 1,700 of 1,700 dead letters" in done
    assert "nothing to replay" in run("replay", "digits", "--all", "--yes").stdout
    sent = read_topic(kafka, REQUESTS, n)
    assert {m.value() for m in sent} == {b"%d" % i for i in range(n)}
    assert len(sent) == n
    for message in sent:
        i = int(message.value() or b"")
        if i % 3 < 2:  # the topic has no third partition
            assert message.partition() == i % 3
        assert dict(message.headers() or [])["ce_id"] == f"{REQUESTS}-{i % 3}-{i}".encode()


def test_what_the_broker_refuses_is_told_and_the_others_are_sent(
    kafka: str, topics: OwnTopics, run: Run
) -> None:
    topics.of_task("digits")
    limit = ConfigEntry("max.message.bytes", "20000", incremental_operation=AlterConfigOpType.SET)
    topic = ConfigResource(ConfigResource.Type.TOPIC, REQUESTS, incremental_configs=[limit])
    admin = AdminClient({"bootstrap.servers": kafka})
    for done in admin.incremental_alter_configs([topic]).values():
        done.result(20)
    producer = Producer({"bootstrap.servers": kafka})
    why = {"reason": "refused", "topic": REQUESTS, "partition": "0", "offset": "1"}
    headers = [(f"ounce-dead-letter-{k}", v.encode()) for k, v in why.items()]
    for size in (15_000, 900_000, *[15_000] * 8):
        producer.produce(DEAD_LETTERS, os.urandom(size), headers=headers)
    producer.flush()
    result = run("replay", "digits", "--all", "--yes", code=1)
    assert re.search(r"^0:1 failed: .*too large", result.stderr)
    assert result.stdout.endswith(
        f"replayed 9 of 10 dead letters to {REQUESTS}; 1 not taken by Kafka\n"
    )
    assert len(read_topic(kafka, REQUESTS, 9, partitions=1)) == 9
    assert "replayed 0 of 1 dead letter" in run("replay", "digits", "--all", code=1).stdout
    assert len(read_topic(kafka, REQUESTS, 9, partitions=1)) == 9


def test_one_that_is_interrupted_can_go_on(kafka: str, topics: OwnTopics, run: Run) -> None:
    topics.of_task("digits", partitions=1)
    n = 20_000
    producer = Producer({"bootstrap.servers": kafka})
    why = {"reason": "refused", "topic": REQUESTS, "partition": "0", "offset": "1"}
    headers = [(f"ounce-dead-letter-{k}", v.encode()) for k, v in why.items()]
    for i in range(n):
        producer.produce(DEAD_LETTERS, b"%d" % i, headers=headers)
    producer.flush()
    command = [OUNCE, "dead-letters", "replay", "digits", "--all", "--yes", f"--kafka={kafka}"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": "reader", "fetch.wait.max.ms": 10})
    consumer.assign([TopicPartition(REQUESTS, 0, 0)])
    assert consumer.poll(60) is not None
    child.send_signal(signal.SIGINT)
    consumer.close()
    told, _ = child.communicate(timeout=60)
    assert child.returncode == 1
    assert re.search(r"left over: the same command goes on with them$", told)
    run("replay", "digits", "--all", "--yes")
    sent = read_topic(kafka, REQUESTS, n, partitions=1)
    assert sorted(int(m.value() or b"") for m in sent) == list(range(n))


def test_wrong_use_is_one_clear_line(kafka: str, topics: OwnTopics, run: Run) -> None:
    absent = run("list", "digits", code=1)
    assert "Kafka has no topic ounce.digits.dead-letters: create it with" in absent.stderr
    topics.of_task("digits")
    errors = {
        ("show", "digits", "0:7"): (1, "has no 0:7: partition 0 holds nothing"),
        ("show", "digits", "9:0"): (1, "has no partition 9: its last is 0"),
        ("replay", "digits", "0:7"): (1, "has no 0:7"),
        ("list", "digits", "--kafka=127.0.0.1:1", "--kafka-timeout-s=0.3"): (
            1,
            "no Kafka at 127.0.0.1:1",
        ),
    }
    for arguments, (code, text) in errors.items():
        result = run(*arguments, code=code)
        assert text in result.stderr
        assert len(result.stderr.splitlines()) == 1
