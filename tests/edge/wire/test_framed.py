"""Avro and JSON in Confluent's framing, by the schemas of a registry."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pytest
from ounce_edge.broker.schema_registry import SchemaRegistry
from ounce_edge.wire.formats.avro import avro_reader
from ounce_edge.wire.formats.schemas import Schema
from ounce_schemas.errors import Reason

from tests.support.edge.formats import PUMP, ROW, VALUES, as_bytes
from tests.support.edge.framed import AVRO, avro, decode, framed, refusal, subject
from tests.support.edge.ladders import DIGITS, raw
from tests.support.schema_registry import register


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


def test_raw_tensors_that_begin_with_zeros_are_never_looked_up() -> None:
    class Nobody:
        def schema(self, schema_id: int) -> Schema:
            raise AssertionError(schema_id)

    rows = [(0, 2, 3), (0, 0, 0), (1.5, 0, 0), (-7, 3, 1)]
    batch, rejected = decode(Nobody(), *(raw(*row) for row in rows))
    assert rejected == []
    np.testing.assert_array_equal(batch.inputs["input"], rows)


def test_avro_of_another_schema_or_cut_off_or_doubled(url: str, schemas: SchemaRegistry) -> None:
    number = register(url, subject(), json.dumps(AVRO))
    row = {"Temperature": 21.5, "Relative_Humidity": 26.3, "CO2": 721.25}
    other = {"type": "record", "name": "O", "fields": [{"name": "a", "type": "string"}]}
    body = avro(AVRO, row)
    for wrong in (avro(other, {"a": "hello"}), body[:-1], body * 2, b"", b"\xff" * 300):
        error = refusal(schemas, framed(number, wrong))
        assert error.reason == Reason.WRONG_SCHEMA
        assert f"not of schema {number}, which it names" in error.text


def test_fields_that_are_no_columns_are_named_as_in_flat_json(
    url: str, schemas: SchemaRegistry
) -> None:
    schema = {"type": "record", "name": "Foo", "fields": [{"name": "foo", "type": "int"}]}
    number = register(url, subject(), json.dumps(schema))
    error = refusal(schemas, framed(number, avro(schema, {"foo": 1})))
    assert error.reason == Reason.MISSING_INPUT
    assert "none of ['foo'] is a column of task room" in error.text
    assert "For example" in error.text


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
