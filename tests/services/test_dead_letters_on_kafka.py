"""`ounce dead-letters` on a real Kafka, with a worker that rejects and then answers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.services.dead_letters import DEAD_LETTERS, REQUESTS, Run, read_topic
from tests.support.kafka.topics import OwnTopics
from tests.support.process.worker import Device, Worker

SENT_BACK = 2
"""Records that come of one that is replayed: its mark, and an answer or a dead letter."""
JSON = ("content-type", b"application/json")


@pytest.fixture
def run(kafka: str) -> Run:
    return Run(kafka)


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
        device.read(len(bad) + 3 * SENT_BACK)
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
        device.read(len(bad) + 6 * SENT_BACK)
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
        device.read(len(bad) + 9 * SENT_BACK)
        run("replay", "digits", *(e["position"] for e in waiting), "--yes", code=1)
        n = len(bad) + 3 + 3 + 3
        assert len(read_topic(kafka, REQUESTS, n)) == n
        summary = run("list", "digits").stdout.splitlines()[-1]
        assert summary.startswith("12 dead letters: 5 wrong-length (4 replayed)")


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
