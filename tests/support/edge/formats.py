"""Two tasks of tables, and bodies of one row that are decoded for them."""

import json
from typing import Any

from ounce_edge.wire.records import Columns
from ounce_edge.wire.requests.decoding import Decoder
from ounce_schemas.cells import Cell
from ounce_schemas.policy import Policy
from ounce_schemas.task import TaskSpec, TensorSpec

from tests.support.edge.ladders import FakeRecord

NAN = float("nan")
ROOM = TaskSpec(
    name="room",
    kind="classification",
    description="Numbers alone, which may be missing",
    inputs=(
        TensorSpec(
            name="input",
            datatype="FP32",
            shape=(3,),
            columns=("Temperature", "Relative Humidity", "CO2 less 400"),
            cells=(
                Cell(column="Temperature", read="number", unit="C", aliases=("temp",)),
                Cell(column="Relative Humidity", read="number", missing=(-9999,)),
                Cell(column="CO2", read="number", offset=400.0),
            ),
            allow_missing=True,
        ),
    ),
    labels=("empty", "full"),
)
PUMP = TaskSpec(
    name="pump",
    kind="classification",
    description="A number that must not be missing, a text and a date",
    inputs=(
        TensorSpec(
            name="input",
            datatype="FP32",
            shape=(2,),
            columns=("pressure", "at.hour"),
            cells=(Cell(column="pressure", read="number"), Cell(column="at", read="hour")),
        ),
        TensorSpec(
            name="categories",
            datatype="BYTES",
            shape=(1,),
            columns=("state",),
            cells=(Cell(column="state", read="text", texts=("True", "False", "7")),),
            allow_missing=True,
        ),
    ),
    labels=("good", "bad"),
)
ROW = {"Temperature": 21.5, "Relative Humidity": 26.3, "CO2": 721.25}
VALUES = [21.5, 26.3, 321.25]
PUMP_ROW = {"pressure": 3, "at": "2026-01-31T17:05:00", "state": "TRUE"}


def decode(*records: FakeRecord, task: TaskSpec = ROOM) -> Any:
    policy = Policy(max_body_bytes=200_000).for_task(task.name)
    return Decoder(task, policy).decode(Columns.of(records), 1_000_050.0)


def one(value: bytes | str | object, headers: Any = None, task: TaskSpec = ROOM) -> Any:
    """The batch of one body that is understood, beside a raw one that must not pay for it."""
    batch, rejected = decode(FakeRecord(as_bytes(value), headers), task=task)
    assert rejected == []
    return batch


def refusal(value: bytes | str | object, headers: Any = None, task: TaskSpec = ROOM) -> Any:
    """Why a body is refused, between two that are served."""
    good = as_bytes(PUMP_ROW if task is PUMP else ROW)
    records = [FakeRecord(good), FakeRecord(as_bytes(value), headers, offset_=8), FakeRecord(good)]
    batch, rejected = decode(*records, task=task)
    assert len(batch) == 2
    [(record, error)] = rejected
    assert record.offset() == 8
    return error


def as_bytes(value: bytes | str | object) -> bytes:
    if isinstance(value, bytes):
        return value
    return (value if isinstance(value, str) else json.dumps(value)).encode()


EVENT = {
    "specversion": "1.0", "id": "e1", "source": "/room/7", "type": "reading",
    "datacontenttype": "application/json", "data": ROW,
}  # fmt: skip
