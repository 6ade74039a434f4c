"""What devices read of an answer in each form that a worker writes."""

import struct

import msgspec
import numpy as np
import pytest
from ounce_schemas.request import AnswerForm
from ounce_services.devices.answer_forms import read_prediction
from ounce_services.devices.tallies import AnswerTallies, Judgement

from tests.edge.wire.test_many_rows import v2
from tests.support.edge.ladders import DIGITS, NUMBERS, FakeRecord, served
from tests.support.edge.pipelines import pipeline, process


@pytest.mark.parametrize("form", [*AnswerForm])
def test_what_a_worker_writes_is_read(form: AnswerForm) -> None:
    served_by = pipeline(served(DIGITS, "tree"), answer=form)
    record = FakeRecord(v2(1), [("ce_id", b"many")])
    [(_, value, _, headers)], _ = process(served_by, record)
    found = read_prediction(value, dict(headers), DIGITS)
    outputs = {output.name: output.data for output in found.outputs}
    assert (found.id, outputs["label"]) == ("many", ["zero"])
    assert 0 < outputs["confidence"][0] <= 1
    tallies = AnswerTallies()
    tallies.add(found, Judgement(True), 5.0)
    accuracy = tallies.accuracy.report()
    assert (accuracy.answered, accuracy.correct) == (1, 1)
    says_targets = form in (AnswerForm.V2, AnswerForm.CLOUDEVENTS)
    assert len(tallies.floors()) == len(tallies.deadlines()) == says_targets
    assert tallies.models().keys() == ({"tree"} if form is not AnswerForm.RAW else set())
    assert np.isfinite([accuracy.promised, tallies.spent_ms, tallies.always_best_ms]).all()


def test_a_raw_answer_of_a_regression() -> None:
    found = read_prediction(struct.pack("<3f", 1.5, 1, 2), {"ce_id": b"a"}, NUMBERS)
    assert [output.data for output in found.outputs] == [[1.5], [1, 2]]


@pytest.mark.parametrize(
    ("value", "headers"),
    [
        (b"", {"ce_id": b"a"}),
        (b"12345678", {}),
        (b"123456789", {"ce_id": b"a"}),
        (b"{", {"ce_id": b"a"}),
        (b"{}", {}),
        (b'{"id":' * 20_000, {}),
        (msgspec.json.encode({"specversion": "1.0", "data": None}), {}),
    ],
)
def test_what_is_no_answer(value: bytes, headers: dict[str, bytes | None]) -> None:
    with pytest.raises(ValueError, match="answer"):
        read_prediction(value, headers, DIGITS)
