"""Every format that is understood, broken in every way: no other message pays for it."""

import json
from typing import Any

import numpy as np
import pytest
from ounce_schemas.cells import Cell
from ounce_schemas.errors import Reason
from ounce_schemas.task import TaskSpec

from tests.edge.wire import test_formats, test_many_rows, test_real_clients, test_wrapped_rows
from tests.support.edge.formats import PUMP, PUMP_ROW, ROOM, ROW, as_bytes, decode, one, refusal
from tests.support.edge.ladders import DIGITS, FakeRecord, raw

GOOD = FakeRecord(as_bytes(ROW), offset_=9)
BODIES = {
    **{name: as_bytes(body) for name, body in test_formats.UNDERSTOOD.items()},
    **{f"two of {name}": as_bytes(body) for name, body in test_many_rows.UNDERSTOOD.items()},
    **{name: value for name, (_, value) in test_real_clients.CLOUDEVENTS.items()},
    **test_real_clients.TABLES,
    "mlserver": test_real_clients.MLSERVER_PANDAS,
    **{name: as_bytes(body) for name, body in test_wrapped_rows.WRAPPED.items()},
    "line protocol": test_wrapped_rows.LINE.encode(),
    "pairs": "&".join(f"{name}={value}" for name, value in ROW.items()).encode(),
    "a change": as_bytes({"before": None, "after": ROW, "op": "c"}),
    "JSON lines": b"\n".join([as_bytes(ROW)] * 2),
}


def broken(body: bytes) -> list[bytes]:
    n = len(body)
    text = body.decode("latin-1")
    return [
        *(body[: n * k // 16] for k in range(16)), body[:-1], body[1:], body * 2, body + b"\0",
        body.replace(b":", b"::"), body.replace(b"21.5", b"[" * 10_000 + b"]" * 10_000),
        body.replace(b"21.5", b'{"a":' * 10_000 + b"1" + b"}" * 10_000),
        body.replace(b"21.5", b"1e999"), body.replace(b"21.5", b"9" * 5000),
        body.replace(b"21.5", b'"\\ud800"'), body.replace(b"21.5", b"{}"),
        body.replace(b"e", b"\xe9"), text.encode("utf-16-le")[:-1], text.encode("utf-32"),
        body.replace(b'"', b"'"), body.replace(b"{", b"["), body[::-1],
    ]  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
def test_what_is_broken_costs_no_other_message(name: str) -> None:
    bodies = broken(BODIES[name])
    records = [FakeRecord(body, offset_=100 + i) for i, body in enumerate(bodies)]
    batch, rejected = decode(*[each for record in records for each in (GOOD, record)])
    assert sum(record.offset() == 9 for record in batch.records) == len(bodies)
    refused = {record.offset() for record, _ in rejected}
    served = {record.offset() for record in batch.records} - {9}
    assert (len(rejected), refused & served) == (len(refused), set())
    assert len(refused | served) == len(bodies)
    assert refused
    for _, error in rejected:
        assert "please report" not in error.text
        assert len(error.text) < 2000


@pytest.mark.parametrize("name", BODIES)
def test_16_megabytes_are_refused_by_their_size(name: str) -> None:
    body = BODIES[name]
    error = refusal(body + b" " * (16_000_000 - len(body)))
    assert error.reason == Reason.TOO_LARGE
    assert "16000000 bytes" in error.text


@pytest.mark.parametrize("value", [b"", b"\0" * 16, b"\xff" * 31, b"\0\0\0\0\1"])
def test_bytes_of_a_task_that_takes_raw_tensors(value: bytes) -> None:
    good = FakeRecord(raw(1, 2, 3, 4), offset_=9)
    batch, rejected = decode(good, FakeRecord(value), good, task=DIGITS)
    assert len(batch) + len(rejected) == 3
    assert not any("please report" in error.text for _, error in rejected)


def test_a_name_that_stands_twice_is_named_in_every_envelope() -> None:
    twice = b'{"CO2": 1, "CO2": 2, "Temperature": 3}'
    for around in (b"%b", b'{"data": %b}', b"[%b]", b'{"schema": null, "payload": %b}',
                   b'{"specversion": "1.0", "data": %b}', b"\0\0\0\0\7%b"):  # fmt: skip
        error = refusal(around % twice)
        assert (error.reason, "'CO2' stands twice" in error.text) == (Reason.MALFORMED_JSON, True)


def test_a_sentinel_counts_in_its_own_column_only() -> None:
    batch = one({"Temperature": -9999, "Relative Humidity": -9999, "CO2": -9999})
    np.testing.assert_array_equal(batch.inputs["input"], [[-9999, np.nan, -10399]])
    batch = one({**ROW, "Relative Humidity": -9999.5})
    assert batch.inputs["input"][0, 1] == np.float32(-9999.5)


def with_cell(task: TaskSpec, **cell: Any) -> TaskSpec:
    first = task.inputs[0]
    cells = (Cell(column="Temperature", read="number", **cell), *(first.cells or ())[1:])
    return task.model_copy(update={"inputs": (first.model_copy(update={"cells": cells}),)})


def test_a_sentinel_that_is_a_real_value_elsewhere() -> None:
    """A number of JSON has a point, also where the table writes commas."""
    task = with_cell(ROOM, decimal=",", missing=("-1", 0))
    for value, read in ((21.5, 21.5), ("21,5", 21.5), (-1, np.nan), (0.0, np.nan), (-1.5, -1.5)):
        batch = one({**ROW, "Temperature": value}, task=task)
        np.testing.assert_array_equal(batch.inputs["input"][0, 0], np.float32(read))


def test_a_text_that_is_a_sentinel_is_one_of_numbers_only() -> None:
    assert one({**PUMP_ROW, "state": "-9999"}, task=PUMP).inputs["categories"].tolist() == [
        ["-9999"]
    ]


def test_a_body_of_noise_and_one_of_json_have_right_names() -> None:
    assert "looks like" in refusal(b"\x93\xfa\x01\x02").text
    assert refusal(json.dumps({"rows": 3})).reason == Reason.MISSING_INPUT


HALVES = {
    "an id": b'{"Temperature":21.5,"Relative Humidity":26.3,"CO2":721.25,"id":"\\ud800","x":NaN}',
    "an id, not escaped": b'{"Temperature":21.5,"Relative Humidity":26.3,"CO2":721.25,'
    b'"id":"\xed\xa0\x80","x":NaN}',
    "an attribute": b'{"specversion":"1.0","id":"e","source":"\\uDFFF","type":"t",'
    b'"data":{"Temperature":21.5,"Relative Humidity":26.3,"CO2":NaN}}',
    "a text of an event": b'{"specversion":"1.0","id":"e","source":"s","type":"t",'
    b'"data":"\\ud800","x":NaN}',
    "an output": b'{"inputs":[{"name":"input","shape":[1,3],"datatype":"FP64","data":[1,2,NaN]}],'
    b'"outputs":[{"name":"\\ud800"}]}',
    "an id before binary tensors": b'{"id":"\\ud800","x":NaN,"inputs":[{"name":"input",'
    b'"shape":[1,3],"datatype":"FP32","parameters":{"binary_data_size":12}}]}' + raw(1, 2, 3),
}
"""Half a surrogate pair, which Python's JSON decoder lets pass and no encoder takes."""


@pytest.mark.parametrize("name", HALVES)
def test_half_a_surrogate_pair_costs_no_other_message(name: str) -> None:
    batch, rejected = decode(GOOD, FakeRecord(HALVES[name], offset_=100), GOOD)
    assert [record.offset() for record in batch.records] == [9, 9]
    assert len(batch.whole_ids()) == 2
    ((_, error),) = rejected
    assert error.reason == Reason.MALFORMED_JSON
    assert "please report" not in error.text


def test_a_whole_surrogate_pair_is_a_letter() -> None:
    batch = one(
        b'{"Temperature":21.5,"Relative Humidity":26.3,"CO2":721.25,"id":"\\ud83d\\ude00","x":NaN}'
    )
    assert batch.whole_ids() == ['"\U0001f600"'.encode()]


def test_base64_of_other_letters_is_refused_as_such() -> None:
    body = b'{"specversion":"1.0","id":"e","source":"s","type":"t","data_base64":"\\u00e9"}'
    assert "is no base64" in refusal(body).text
