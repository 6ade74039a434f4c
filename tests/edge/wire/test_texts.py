"""Requests of a task of sentences: whatever a person may type, and what is no text."""

import json
from typing import Any

import numpy as np
import pytest
from ounce_schemas.cells import Cell
from ounce_schemas.dead_letter import HEADER_REASON, HEADER_TEXT
from ounce_schemas.task import TaskSpec, TensorSpec

from tests.support.edge.ladders import FakeRecord, served
from tests.support.edge.pipelines import pipeline, process

TENSOR = TensorSpec(
    name="text", datatype="BYTES", shape=(1,), columns=("message",), text_bytes=64,
    cells=(Cell(column="message", read="sentence"),),
)  # fmt: skip
TASK = TaskSpec(
    name="mail", kind="classification", description="spam or not", inputs=(TENSOR,),
    labels=("ham", "spam"),
)  # fmt: skip
SCRIPTS = "\u4f60\u597d \u043c\u0438\u0440 \u0645\u0631\u062d\u0628\u0627 e\u0301 \U0001f600"


def asked(body: bytes, **policy: Any) -> tuple[list[str], list[tuple[str, dict[str, bytes]]]]:
    """Texts that the model reads, and the topics and headers that are published."""
    seen: list[str] = []

    def answer(inputs: Any) -> Any:
        seen.extend(inputs["text"].ravel().tolist())
        return np.tile(np.array([0.2, 0.8], np.float32), (len(inputs["text"]), 1))

    worker = pipeline(served(TASK, "m", answer), task=TASK, min_accuracy=0, **policy)
    published, _ = process(worker, FakeRecord(body))
    return seen, [(topic, dict(headers or ())) for topic, _, _, headers in published]


@pytest.mark.parametrize(
    "text", ["", SCRIPTS, "\0\u202e\ufeff", "a" * 900], ids=["empty", "scripts", "controls", "long"]
)
@pytest.mark.parametrize("form", ["flat", "v2"])
def test_any_text_is_answered(text: str, form: str) -> None:
    tensor = {"name": "text", "shape": [1, 1], "datatype": "BYTES", "data": [text]}
    document = {"message": text} if form == "flat" else {"inputs": [tensor]}
    seen, published = asked(json.dumps(document).encode())
    assert [topic for topic, _ in published] == ["ounce.mail.predictions"]
    assert [one[:64] for one in seen] == [text[:64]]


def test_ten_megabytes_are_too_large_or_cut_as_the_policy_says() -> None:
    body = json.dumps({"message": "many words " * 1_000_000}).encode()
    _, ((topic, headers),) = asked(body)
    assert topic == "ounce.mail.dead-letters"
    assert headers[HEADER_REASON] == b"too-large"
    assert b"max_body_bytes" in headers[HEADER_TEXT]
    seen, ((topic, _),) = asked(body, max_body_bytes=20_000_000)
    assert topic == "ounce.mail.predictions"
    assert seen[0].startswith("many words many")


@pytest.mark.parametrize(
    "body",
    [b'{"message": "caf\xe9"}', b"caf\xe9 is what you drink", b"\xff\xfe\x00"],
    ids=["json", "plain", "no-text"],
)
def test_bytes_that_are_no_utf_8_get_a_letter(body: bytes) -> None:
    seen, ((topic, headers),) = asked(body)
    assert topic == "ounce.mail.dead-letters"
    assert seen == []
    assert headers[HEADER_REASON] in (b"malformed-json", b"unknown-content-type")
    assert b"message" in headers[HEADER_TEXT]  # an example says what to send
