"""Rows of a table in Avro and Protobuf, framed as Confluent's serialisers do."""

import io
import uuid
from typing import Any

import fastavro
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from ounce_edge.wire.records import Columns
from ounce_edge.wire.requests.decoding import Decoder
from ounce_schemas.policy import Policy
from ounce_schemas.task import TaskSpec

from tests.support.edge.formats import ROOM, ROW, as_bytes
from tests.support.edge.ladders import FakeRecord

FIELDS = [
    {"name": "Temperature", "type": "double"},
    {"name": "Relative_Humidity", "type": ["null", "double"], "default": None},
    {"name": "CO2", "type": "float"},
]


AVRO = {"type": "record", "name": "Row", "fields": FIELDS}


PROTO = """
syntax = "proto3";
package room;
message Other { string text = 1; }
message Envelope {
  message Row { double Temperature = 1; optional double Relative_Humidity = 2; float CO2 = 3; }
  Row data = 1;
}
"""


def subject() -> str:
    return f"test-{uuid.uuid4()}"


def avro(schema: Any, value: Any) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), value)
    return out.getvalue()


def framed(schema_id: int, body: bytes) -> bytes:
    return b"\0" + schema_id.to_bytes(4) + body


def decode(schemas: Any, *values: bytes, task: TaskSpec = ROOM, headers: Any = None) -> Any:
    decoder = Decoder(task, Policy().for_task(task.name), schemas=schemas)
    records = [FakeRecord(value, headers) for value in values]
    return decoder.decode(Columns.of(records), 1_000_050.0)


def refusal(schemas: Any, value: bytes) -> Any:
    """Why a body is refused, between two that are served."""
    good = as_bytes(ROW)
    batch, [(_, error)] = decode(schemas, good, value, good)
    assert len(batch) == 2
    return error


def message(files: list[Any], name: str, fill: Any) -> bytes:
    pool = descriptor_pool.DescriptorPool()
    for file in files:
        pool.Add(file)
    found = message_factory.GetMessageClass(pool.FindMessageTypeByName(name))()
    fill(found)
    return found.SerializeToString()  # type: ignore[no-any-return]


def row_file() -> Any:
    """What `PROTO` compiles to."""
    file = descriptor_pb2.FileDescriptorProto(name="row.proto", package="room", syntax="proto3")
    other = file.message_type.add(name="Other")
    other.field.add(name="text", number=1, label=1, type=9)
    envelope = file.message_type.add(name="Envelope")
    row = envelope.nested_type.add(name="Row")
    row.field.add(name="Temperature", number=1, label=1, type=1)
    row.oneof_decl.add(name="_Relative_Humidity")
    row.field.add(
        name="Relative_Humidity", number=2, label=1, type=1, oneof_index=0, proto3_optional=True
    )
    row.field.add(name="CO2", number=3, label=1, type=2)
    envelope.field.add(name="data", number=1, label=1, type=11, type_name=".room.Envelope.Row")
    return file


def fill_row(row: Any) -> None:
    row.Temperature, row.Relative_Humidity, row.CO2 = 21.5, 26.3, 721.25
