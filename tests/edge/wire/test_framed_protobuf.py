"""Protobuf in Confluent's framing, by the schemas of a registry."""

import base64
import json
from random import Random

import numpy as np
import pytest
from google.protobuf import descriptor_pb2
from ounce_edge.broker.schema_registry import SchemaRegistry
from ounce_schemas.errors import Reason

from tests.support.edge.formats import VALUES
from tests.support.edge.framed import (
    AVRO,
    PROTO,
    decode,
    fill_row,
    framed,
    message,
    refusal,
    row_file,
    subject,
)
from tests.support.schema_registry import register


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


def test_protobuf_of_another_schema_or_cut_off(url: str, schemas: SchemaRegistry) -> None:
    number = register(url, subject(), PROTO, "PROTOBUF")
    body = message([row_file()], "room.Envelope.Row", fill_row)
    row = b"\x04\x02\x00"
    for wrong in (row + body[:-1], row + b"\xff" * 30, b"\x02\x12" + body, b"", b"\x80", b"\x7f",
                  row + b"\x82\x06\x02ab"):  # fmt: skip
        error = refusal(schemas, framed(number, wrong))
        assert error.reason == Reason.WRONG_SCHEMA, error


def test_noise_of_any_kind_costs_no_other_message(url: str, schemas: SchemaRegistry) -> None:
    numbers = [register(url, subject(), json.dumps(AVRO)),
               register(url, subject(), PROTO, "PROTOBUF")]  # fmt: skip
    random = Random(7)
    noise = [framed(numbers[i % 2], random.randbytes(i % 64)) for i in range(500)]
    _, rejected = decode(schemas, *noise)
    assert {error.reason for _, error in rejected} <= {
        Reason.WRONG_SCHEMA, Reason.MISSING_INPUT, Reason.NOT_FINITE, Reason.WRONG_DATATYPE,
        Reason.MALFORMED_JSON,
    }  # fmt: skip
    assert not any("please report" in error.text for _, error in rejected)
