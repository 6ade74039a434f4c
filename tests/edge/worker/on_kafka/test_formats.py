"""A worker on a real Kafka reads schemas of a registry, answers rows together, and keeps labels
that it can't use."""

import io
import json
from pathlib import Path

import fastavro
import numpy as np
import pytest
from ounce_schemas.dead_letter import HEADER_REASON, HEADER_TEXT, HEADER_TOPIC

from tests.support.kafka.topics import OwnTopics
from tests.support.process.worker import PATIENT, Device
from tests.support.process.workers import Workers
from tests.support.schema_registry import OwnRegistry, register

pytestmark = pytest.mark.kafka

SCHEMA = {
    "type": "record", "name": "Image",
    "fields": [{"name": "input", "type": {"type": "array", "items": "float"}}],
}  # fmt: skip
PIXELS = [float(i % 17) for i in range(64)]


def avro(schema_id: int, pixels: list[float]) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(SCHEMA), {"input": pixels})
    return b"\0" + schema_id.to_bytes(4) + out.getvalue()


@pytest.mark.parametrize("delivery", ["at-least-once", "exactly-once"])
def test_a_registry_that_goes_away_costs_its_new_schemas_only(
    topics: OwnTopics, workers: Workers, device: Device, tmp_path: Path, delivery: str
) -> None:
    _, _, _, labels = topics.of_task("digits")
    registry = OwnRegistry()
    known = register(registry.url, "digits", json.dumps(SCHEMA))
    policy = tmp_path / "policy.yaml"
    policy.write_text("{version: one-model, tasks: {digits: {allow: [mlp]}}}")  # answers are equal
    options = [
        f"--delivery={delivery}",
        f"--policy={policy}",
        f"--schema-registry={registry.url}",
        "--schema-registry-timeout-s=60",
    ]
    with workers(*options) as worker:

        def send(name: str, body: bytes) -> None:
            device.send(body, [("ce_id", name.encode()), PATIENT])

        send("raw", np.array(PIXELS, "<f4").tobytes())
        send("avro", avro(known, PIXELS))
        send("no such id", avro(700, PIXELS))
        device.flush()
        device.read(3)
        registry.broken = 503, b"away"
        send("known", avro(known, PIXELS))
        send("new", avro(701, PIXELS))
        send("rows", json.dumps([PIXELS, PIXELS[::-1]]).encode())
        device.flush()
        device.read(6)
        device.label('{"id": "raw", "label": "eleven"}')
        device.read(7)
        worker.wait_until_counted(r'ounce_labels_total\{outcome="invalid",task="digits"\}')
    answers = {answer.id: answer.outputs[0].data for answer in device.answers()}
    assert answers.keys() == {"raw", "avro", "known", "rows"}
    assert answers["raw"] == answers["avro"] == answers["known"] == answers["rows"][:1]
    assert len(answers["rows"]) == 2
    letters = {}
    for message in device.dead_letters:
        found = dict(message.headers() or ())
        text = found[HEADER_REASON].decode(), found[HEADER_TEXT].decode()
        letters[(found.get("ce_id") or found[HEADER_TOPIC]).decode()] = text
    assert letters.keys() == {"no such id", "new", labels}
    assert letters["no such id"][0] == "unknown-schema"
    assert letters["new"][0] == "registry-away"
    assert registry.url in letters["new"][1]
    registry.close()
    assert letters[labels][0] == "bad-label"
    assert "'eleven' is no class of task digits" in letters[labels][1]
