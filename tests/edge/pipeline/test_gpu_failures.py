"""While the GPU's process is down, models on the CPU answer. Its GPU is a fake, it is not."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from ounce_edge.models.catalogue import ServedModel
from ounce_edge.models.runtimes.apart import ApartRuntime
from ounce_schemas.event import EventKind

from tests.support.edge import bad_runtime as bad
from tests.support.edge.ladders import DIGITS, FakeRecord, raw, served
from tests.support.edge.pipelines import HEAVY, LIGHT, pipeline, prediction, process

EASY = [("ce_minaccuracy", b"0.5")]


@pytest.fixture
def on_gpu() -> Iterator[ServedModel]:
    """The cheapest model of the ladder."""
    runtime = ApartRuntime(bad.BadRuntime)
    loaded = runtime.load(Path("models/digits/net/model.onnx"), b"net")
    yield replace(served(DIGITS, "net-gpu", **LIGHT), loaded=loaded)
    runtime.close()


@pytest.mark.parametrize("wish", [bad.CRASH, bad.STICK, bad.EXIT, bad.DOWN])
def test_a_request_that_breaks_the_gpu_is_answered_by_the_cpu(
    on_gpu: ServedModel, wish: int
) -> None:
    serving = pipeline(on_gpu, served(DIGITS, "net", **HEAVY))
    sent, report = process(serving, FakeRecord(raw(bad.ANSWER, 0, 1, 0), EASY))
    assert [prediction(r).model_name for r in sent] == ["net-gpu"]
    assert report.incidents == []
    broken = FakeRecord(raw(wish, 0, 1, 0), EASY)
    sent, report = process(serving, broken, broken)
    assert [prediction(r).model_name for r in sent] == ["net", "net"]
    told = [(incident.kind, incident.subject) for incident in report.incidents]
    assert told == [(EventKind.MODEL_SUSPENDED, "net-gpu")]
    sent, _ = process(serving, FakeRecord(raw(bad.ANSWER, 0, 1, 0), EASY))
    assert [prediction(r).model_name for r in sent] == ["net"]
