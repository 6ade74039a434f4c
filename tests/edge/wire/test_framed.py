"""Avro and Protobuf in Confluent's framing, by the schemas of a registry."""

import base64
import io
import json
import os
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import fastavro
import numpy as np
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from ounce_edge.broker.schema_registry import SchemaRegistry
from ounce_edge.wire.decoding import Decoder
from ounce_edge.wire.formats.avro import avro_reader
from ounce_edge.wire.formats.schemas import Schema
from ounce_edge.wire.records import Columns
from ounce_schemas.errors import Reason
from ounce_schemas.policy import Policy
from ounce_schemas.task import TaskSpec

from tests.support.edge.formats import PUMP, ROOM, ROW, VALUES, as_bytes
from tests.support.edge.ladders import DIGITS, FakeRecord, raw
from tests.support.schema_registry import register, registry_url

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


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with registry_url() as url:
        yield url


@pytest.fixture(scope="module")
def schemas(url: str) -> SchemaRegistry:
    return SchemaRegistry(url, timeout_s=60)


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


def test_avro_maps_fields_to_columns_by_name(url: str, schemas: SchemaRegistry) -> None:
    number = register(url, subject(), json.dumps(AVRO))
    rows = [
        {"Temperature": 21.5, "Relative_Humidity": 26.3, "CO2": 721.25},
        {"Temperature": 21.5, "Relative_Humidity": None, "CO2": 721.25},
    ]
    batch, rejected = decode(schemas, *(framed(number, avro(AVRO, row)) for row in rows))
    assert rejected == []
    gap = [21.5, float("nan"), 321.25]
    np.testing.assert_allclose(batch.inputs["input"], [VALUES, gap], rtol=1e-6)


def test_avro_with_named_schemas_of_other_subjects(url: str, schemas: SchemaRegistry) -> None:
    inner = subject()
    register(url, inner, json.dumps(AVRO))
    outer = {
        "type": "record", "name": "Event",
        "fields": [{"name": "id", "type": "long"}, {"name": "payload", "type": "Row"}],
    }  # fmt: skip
    number = register(url, subject(), json.dumps(outer), references={"Row": inner})
    whole = {**outer, "fields": [outer["fields"][0], {"name": "payload", "type": AVRO}]}  # type: ignore[index]
    row = {"Temperature": 21.5, "Relative_Humidity": 26.3, "CO2": 721.25}
    batch, rejected = decode(schemas, framed(number, avro(whole, {"id": 17, "payload": row})))
    assert rejected == []
    np.testing.assert_allclose(batch.inputs["input"], [VALUES], rtol=1e-6)
    assert batch.identities[0].id == "17"


def test_dates_decimals_and_enums_of_avro(url: str, schemas: SchemaRegistry) -> None:
    schema = {
        "type": "record", "name": "Pump",
        "fields": [
            {"name": "pressure",
             "type": {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}},
            {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
            {"name": "state", "type": {"type": "enum", "name": "S", "symbols": ["True", "Off"]}},
        ],
    }  # fmt: skip
    row = {"pressure": Decimal("3.25"), "at": datetime(2026, 1, 31, 17, 5, tzinfo=UTC),
           "state": "True"}  # fmt: skip
    number = register(url, subject(), json.dumps(schema))
    batch, rejected = decode(schemas, framed(number, avro(schema, row)), task=PUMP)
    assert rejected == []
    np.testing.assert_array_equal(batch.inputs["input"], [[3.25, 17]])
    assert batch.inputs["categories"].tolist() == [["True"]]


def test_a_tensor_without_columns_comes_as_an_array(url: str, schemas: SchemaRegistry) -> None:
    numbers = {"name": "input", "type": {"type": "array", "items": "float"}}
    schema = {"type": "record", "name": "Image", "fields": [numbers]}
    number = register(url, subject(), json.dumps(schema))
    body = framed(number, avro(schema, {"input": [1, 2, 3, 4]}))
    batch, rejected = decode(schemas, body, task=DIGITS)
    assert rejected == []
    np.testing.assert_array_equal(batch.inputs["input"], [[1, 2, 3, 4]])


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


@pytest.mark.parametrize("form", ["text", "descriptor"])
def test_protobuf_as_text_and_as_a_descriptor(url: str, schemas: SchemaRegistry, form: str) -> None:
    """Java's clients register the text; Python's the descriptor, in base64."""
    file = row_file()
    text = PROTO if form == "text" else base64.b64encode(file.SerializeToString()).decode()
    number = register(url, subject(), text, "PROTOBUF")
    bare = message([file], "room.Envelope.Row", fill_row)
    outer = message([file], "room.Envelope", lambda found: fill_row(found.data))
    second_then_first, second = b"\x04\x02\x00", b"\x02\x02"  # zigzag: [1, 0] and [1]
    batch, rejected = decode(
        schemas, framed(number, second_then_first + bare), framed(number, second + outer)
    )
    assert rejected == []
    np.testing.assert_allclose(batch.inputs["input"], [VALUES, VALUES], rtol=1e-6)


@pytest.mark.parametrize("form", ["text", "descriptor"])
def test_protobuf_that_imports(url: str, schemas: SchemaRegistry, form: str) -> None:
    file = row_file()
    outer = descriptor_pb2.FileDescriptorProto(
        name="o.proto", package="o", syntax="proto3",
        dependency=["room/row.proto", "google/protobuf/timestamp.proto"],
    )  # fmt: skip
    reading = outer.message_type.add(name="Reading")
    reading.field.add(name="payload", number=1, label=1, type=11, type_name=".room.Envelope.Row")
    reading.field.add(name="at", number=2, label=1, type=11, type_name=".google.protobuf.Timestamp")
    text = """syntax = "proto3"; package o;
        import "room/row.proto"; import "google/protobuf/timestamp.proto";
        message Reading { room.Envelope.Row payload = 1; google.protobuf.Timestamp at = 2; }"""
    inner, is_text = subject(), form == "text"
    kept = [
        own if is_text else base64.b64encode(found.SerializeToString()).decode()
        for own, found in ((PROTO, file), (text, outer))
    ]
    register(url, inner, kept[0], "PROTOBUF")
    number = register(url, subject(), kept[1], "PROTOBUF", {"room/row.proto": inner})
    body = message([file], "room.Envelope.Row", fill_row)
    payload = b"\x0a" + bytes([len(body)]) + body
    batch, rejected = decode(schemas, framed(number, b"\0" + payload))
    assert rejected == []
    np.testing.assert_allclose(batch.inputs["input"], [VALUES], rtol=1e-6)


def test_json_by_a_schema_of_the_registry(url: str, schemas: SchemaRegistry) -> None:
    number = register(
        url,
        subject(),
        '{"$schema": "http://json-schema.org/draft-07/schema#", "type": "object"}',
        "JSON",
    )
    batch, rejected = decode(schemas, framed(number, as_bytes(ROW)))
    assert rejected == []
    np.testing.assert_allclose(batch.inputs["input"], [VALUES], rtol=1e-6)


def test_framed_json_needs_no_schema(schemas: SchemaRegistry) -> None:
    for known in (None, schemas):
        batch, rejected = decode(known, framed(900_000, as_bytes(ROW)))
        assert (len(batch), rejected) == (1, [])


def test_avro_that_begins_like_json_is_avro(url: str, schemas: SchemaRegistry) -> None:
    fields = [{"name": n, "type": "long"} for n in ("Temperature", "Relative_Humidity", "CO2")]
    schema = {"type": "record", "name": "Whole", "fields": fields}
    number = register(url, subject(), json.dumps(schema))
    body = avro(schema, {"Temperature": -62, "Relative_Humidity": 5, "CO2": 400})
    assert body[:1] == b"{"
    batch, _ = decode(schemas, framed(number, body))
    np.testing.assert_array_equal(batch.inputs["input"], [[-62, 5, 0]])


def test_a_framed_body_as_long_as_a_raw_one(url: str, schemas: SchemaRegistry) -> None:
    fields = [{"name": n, "type": "long"} for n in ("Temperature", "Relative_Humidity")]
    schema = {
        "type": "record", "name": "Twelve", "fields": [*fields, {"name": "CO2", "type": "float"}],
    }  # fmt: skip
    number = register(url, subject(), json.dumps(schema))
    row = {"Temperature": 20, "Relative_Humidity": 5000, "CO2": 401}
    value = framed(number, avro(schema, row))
    assert len(value) == len(raw(1, 2, 3))
    batch, _ = decode(schemas, value, raw(0, 2, 3), raw(2, 0, 5))
    np.testing.assert_array_equal(batch.inputs["input"], [[20, 5000, 1], [0, 2, 3], [2, 0, 5]])
    said = [("content-type", b"application/octet-stream")]
    batch, _ = decode(schemas, value, headers=said)
    np.testing.assert_array_equal(batch.inputs["input"][0], np.frombuffer(value, "<f4"))


def test_avro_of_another_schema_or_cut_off_or_doubled(url: str, schemas: SchemaRegistry) -> None:
    number = register(url, subject(), json.dumps(AVRO))
    row = {"Temperature": 21.5, "Relative_Humidity": 26.3, "CO2": 721.25}
    other = {"type": "record", "name": "O", "fields": [{"name": "a", "type": "string"}]}
    body = avro(AVRO, row)
    for wrong in (avro(other, {"a": "hello"}), body[:-1], body * 2, b"", b"\xff" * 300):
        error = refusal(schemas, framed(number, wrong))
        assert error.reason == Reason.WRONG_SCHEMA
        assert f"not of schema {number}, which it names" in error.text


def test_protobuf_of_another_schema_or_cut_off(url: str, schemas: SchemaRegistry) -> None:
    number = register(url, subject(), PROTO, "PROTOBUF")
    body = message([row_file()], "room.Envelope.Row", fill_row)
    row = b"\x04\x02\x00"
    for wrong in (row + body[:-1], row + b"\xff" * 30, b"\x02\x12" + body, b"", b"\x80", b"\x7f",
                  row + b"\x82\x06\x02ab"):  # fmt: skip
        error = refusal(schemas, framed(number, wrong))
        assert error.reason == Reason.WRONG_SCHEMA, error


def test_fields_that_are_no_columns_are_named_as_in_flat_json(
    url: str, schemas: SchemaRegistry
) -> None:
    schema = {"type": "record", "name": "Foo", "fields": [{"name": "foo", "type": "int"}]}
    number = register(url, subject(), json.dumps(schema))
    error = refusal(schemas, framed(number, avro(schema, {"foo": 1})))
    assert error.reason == Reason.MISSING_INPUT
    assert "none of ['foo'] is a column of task room" in error.text
    assert "For example" in error.text


def test_noise_of_any_kind_costs_no_other_message(url: str, schemas: SchemaRegistry) -> None:
    numbers = [register(url, subject(), json.dumps(AVRO)),
               register(url, subject(), PROTO, "PROTOBUF")]  # fmt: skip
    noise = [framed(numbers[i % 2], os.urandom(i % 64)) for i in range(500)]
    _, rejected = decode(schemas, *noise)
    assert {error.reason for _, error in rejected} <= {
        Reason.WRONG_SCHEMA, Reason.MISSING_INPUT, Reason.NOT_FINITE, Reason.WRONG_DATATYPE,
        Reason.MALFORMED_JSON,
    }  # fmt: skip
    assert not any("please report" in error.text for _, error in rejected)


RECURSIVE = {"type": "record", "name": "L", "fields": [{"name": "n", "type": ["null", "L"]}]}
NULLS = {"type": "array", "items": "null"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (json.dumps(RECURSIVE), "L holds itself"),
        (json.dumps(NULLS), "items take no bytes"),
        ('{"type": "array", "items":' * 500 + '"int"' + "}" * 500, "nests more than"),
        ('{"type":' * 20_000, "no Avro schema"),
        ('{"type": "record"}', "no Avro schema"),
        ("hello", "no Avro schema"),
    ],
)
def test_avro_schemas_that_would_harm_the_worker_are_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        avro_reader(Schema("AVRO", text.encode()))
