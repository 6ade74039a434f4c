"""Requests of a task of sequences: fewer steps, gaps, and what can't be served."""

import json
from typing import Any

import numpy as np
import pytest
from ounce_schemas.dead_letter import HEADER_REASON, HEADER_TEXT
from ounce_schemas.task import TaskSpec, TensorSpec
from pydantic import ValidationError

from tests.support.edge.ladders import FakeRecord, served
from tests.support.edge.pipelines import pipeline, process

TENSOR = TensorSpec(
    name="sequence", datatype="FP32", shape=(3, 2), channels=("heat", "load"), allow_missing=True
)
TASK = TaskSpec(
    name="wear", kind="classification", description="worn or not", inputs=(TENSOR,),
    labels=("new", "worn"),
)  # fmt: skip
STEPS = [[1.0, 2.0], [3.0, 4.0]]


def v2(data: Any, shape: list[int]) -> bytes:
    tensor = {"name": "sequence", "shape": shape, "datatype": "FP32", "data": data}
    return json.dumps({"inputs": [tensor]}).encode()


@pytest.mark.parametrize(
    "body",
    [
        v2([1, 2, 3, 4], [1, 2, 2]),
        v2(STEPS, [2, 2]),
        v2([None, None, 1, 2, 3, 4], [1, 3, 2]),
        json.dumps({"sequence": STEPS}).encode(),
        json.dumps({"sequence": [1, 2, 3, 4]}).encode(),
        np.array(STEPS, "<f4").tobytes(),
    ],
    ids=["flat", "nested", "whole", "named", "named-flat", "raw"],
)
def test_fewer_steps_are_the_latest_ones(body: bytes) -> None:
    seen = []

    def answer(inputs: Any) -> Any:
        seen.append(inputs["sequence"])
        return np.tile(np.array([0.2, 0.8], np.float32), (len(inputs["sequence"]), 1))

    model = served(TASK, "m", answer)
    published, _ = process(pipeline(model, task=TASK, min_accuracy=0), FakeRecord(body))
    assert [topic for topic, *_ in published] == ["ounce.wear.predictions"]
    nan = np.nan
    np.testing.assert_array_equal(seen[0], np.array([[[nan, nan], *STEPS]], np.float32))


def test_one_step_is_a_sequence() -> None:
    seen = []

    def answer(inputs: Any) -> Any:
        seen.append(inputs["sequence"])
        return np.array([[0.2, 0.8]], np.float32)

    body = json.dumps({"sequence": STEPS[:1]}).encode()
    model = served(TASK, "m", answer)
    published, _ = process(pipeline(model, task=TASK, min_accuracy=0), FakeRecord(body))
    assert [topic for topic, *_ in published] == ["ounce.wear.predictions"]
    gaps = [[np.nan] * 2] * 2
    np.testing.assert_array_equal(seen[0], np.array([[*gaps, STEPS[0]]], np.float32))


@pytest.mark.parametrize(
    ("body", "reason", "text"),
    [
        (v2([], [1, 0, 2]), "wrong-shape", "; or fewer steps, at least one, each of"),
        (v2([1, 2, 3], [1, 3, 1]), "wrong-shape", "each of ['heat', 'load']"),
        (v2([1] * 8, [1, 4, 2]), "wrong-shape", "send [1, 3, 2]"),
        (v2([None] * 6, [1, 3, 2]), "not-finite", "holds no value; send one step at least"),
        (np.array([1, 2, 3], "<f4").tobytes(), "wrong-length", "need 24 bytes"),
    ],
    ids=["no-step", "missing-channel", "too-long", "all-gaps", "half-a-step"],
)
def test_a_sequence_that_can_t_be_served_gets_a_letter(body: bytes, reason: str, text: str) -> None:
    published, _ = process(pipeline(served(TASK, "m"), task=TASK, min_accuracy=0), FakeRecord(body))
    ((topic, _, _, headers),) = published
    assert topic == "ounce.wear.dead-letters"
    found = dict(headers)
    assert found[HEADER_REASON].decode() == reason
    assert text in found[HEADER_TEXT].decode()


def test_channels_are_those_of_the_shape() -> None:
    with pytest.raises(ValidationError, match="has 2 channels: its shape is"):
        TensorSpec(name="s", datatype="FP32", shape=(3, 4), channels=("a", "b"))
