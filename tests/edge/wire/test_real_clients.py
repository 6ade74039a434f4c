"""Messages that real clients wrote are served.

The bytes were recorded from cloudevents 2.2.0, tritonclient 2.73.0, mlserver 1.7.1, quixstreams
3.28.1, confluent-kafka 2.12.2 and Kafka Connect's JsonConverter 4.1.1, in environments of their
own: their requirements are not those of this project. Pandas writes while the test runs. The
Connect row of dates and texts was composed in the converter's format.
"""

import base64
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from google.protobuf import descriptor_pb2, struct_pb2
from ounce_edge.broker.schema_registry import SchemaRegistry
from ounce_edge.wire.formats.connect import read_payload
from ounce_edge.wire.records import Columns
from ounce_edge.wire.requests.decoding import Decoder
from ounce_edge.wire.requests.identity import Identity
from ounce_schemas.policy import Policy

from tests.support.edge.formats import PUMP, ROOM, VALUES, one
from tests.support.edge.ladders import DIGITS, FakeRecord, raw
from tests.support.schema_registry import OwnRegistry, register

ROW = b'{"Temperature": 21.5, "Relative Humidity": 26.3, "CO2": 721.25}'
CLOUDEVENTS = {
    "cloudevents.v1.http.to_structured": (
        {"content-type": b"application/cloudevents+json"},
        b'{"specversion": "1.0", "id": "e1", "source": "/room/7", "type": "com.example.reading", '
        b'"time": "2026-01-31T12:00:00Z", "data": %b, "maxlatencyms": "20"}' % ROW,
    ),
    "cloudevents.v1.kafka.to_structured": (
        {},
        b'{"type": "com.example.reading", "source": "/room/7", "id": "e1", '
        b'"time": "2026-01-31T12:00:00Z", "maxlatencyms": "20", "specversion": "1.0", "data": %b}'
        % ROW,
    ),
    "cloudevents.core.bindings.kafka.to_structured_event": (
        {"content-type": b"application/cloudevents+json"},
        b'{"id": "e1", "source": "/room/7", "type": "com.example.reading", "specversion": "1.0", '
        b'"datacontenttype": "application/json", "time": "2026-11-28T21:18:21.254306Z", '
        b'"maxlatencyms": 20, "data": %b}' % ROW,
    ),
    "cloudevents.core.bindings.kafka.to_binary_event": (
        {
            "ce_id": b"e1", "ce_source": b"/room/7", "ce_type": b"com.example.reading",
            "ce_specversion": b"1.0", "content-type": b"application/json",
            "ce_time": b"2026-11-28T21:18:21.254306Z", "ce_maxlatencyms": b"20",
        },
        ROW,
    ),
}  # fmt: skip
TRITON = (
    b'{"inputs":[{"name":"input","shape":[1,4],"datatype":"FP32",'
    b'"parameters":{"binary_data_size":16}}],"parameters":{"binary_data_output":true}}'
)
TRITON_JSON = (
    b'{"id":"r1","inputs":[{"name":"input","shape":[1,4],"datatype":"FP32",'
    b'"data":[1.0,2.0,3.0,4.0]}],"outputs":[{"name":"label","parameters":{"binary_data":false}}]}'
)
MLSERVER_PANDAS = (
    b'{"parameters":{"content_type":"pd"},"inputs":['
    b'{"name":"Temperature","shape":[1,1],"datatype":"FP64","data":[21.5]},'
    b'{"name":"Relative Humidity","shape":[1,1],"datatype":"FP64","data":[26.3]},'
    b'{"name":"CO2","shape":[1,1],"datatype":"FP64","data":[721.25]}]}'
)
MLSERVER_NUMPY = (
    b'{"inputs":[{"name":"input","shape":[1,4],"datatype":"INT64",'
    b'"parameters":{"content_type":"np"},"data":[1,2,3,4]}]}'
)

CONNECT_SCHEMA = (
    b'{"type":"struct","fields":[{"type":"double","optional":false,"field":"Temperature"},'
    b'{"type":"double","optional":true,"field":"Relative Humidity"},{"type":"bytes",'
    b'"optional":false,"name":"org.apache.kafka.connect.data.Decimal","version":1,'
    b'"parameters":{"scale":"2"},"field":"CO2"}],"optional":false,"name":"room.Row"}'
)
CONNECT_ARRAY = (
    b'{"schema":{"type":"array","items":{"type":"float","optional":false},"optional":false},'
    b'"payload":[1.0,2.0,3.0,4.0]}'
)
CONNECT_PUMP = (
    b'{"schema":{"type":"struct","fields":[{"type":"bytes","optional":false,'
    b'"name":"org.apache.kafka.connect.data.Decimal","version":1,"parameters":{"scale":"2"},'
    b'"field":"pressure"},{"type":"int64","optional":false,'
    b'"name":"org.apache.kafka.connect.data.Timestamp","version":1,"field":"at"},'
    b'{"type":"string","optional":false,"field":"state"}],"optional":false},'
    b'"payload":{"pressure":"/rs=","at":1769879100000,"state":"True"}}'
)
QUIX_VALUES = (
    b'{"BinaryValues":{},"StringValues":{},"NumericValues":{"Temperature":[21.5],'
    b'"Relative Humidity":[26.3],"CO2":[721.25]},"Timestamps":[1769860800000000000],'
    b'"TagValues":{}}'
)
FRAME = pd.DataFrame({"Temperature": [21.5], "Relative Humidity": [26.3], "CO2": [721.25]})
TABLES = {
    "connect, decimals in base64": b'{"schema":%b,"payload":{"Temperature":21.5,'
    b'"Relative Humidity":26.3,"CO2":"ARm9"}}' % CONNECT_SCHEMA,
    "connect, decimals as numbers": b'{"schema":%b,"payload":{"Temperature":21.5,'
    b'"Relative Humidity":26.3,"CO2":721.25}}' % CONNECT_SCHEMA,
    "connect, no schema": b'{"schema":null,"payload":%b}' % ROW,
    "quix, JSONSerializer": ROW,
    "quix, QuixTimeseriesSerializer": b'{"C":"JT","K":"ParameterData","V":%b,"S":34,"E":202}'
    % QUIX_VALUES,
    "quix, QuixTimeseriesSerializer as legacy": QUIX_VALUES,
    "pandas, to_json(orient='split')": FRAME.to_json(orient="split").encode(),
    "pandas, to_json(orient='records')": FRAME.to_json(orient="records").encode(),
    "pandas, to_json(orient='columns')": FRAME.to_json(orient="columns").encode(),
    "pandas, to_json(orient='table')": FRAME.to_json(orient="table").encode(),
    "pandas, to_dict('list')": json.dumps(FRAME.to_dict("list")).encode(),
    "pandas, to_csv": FRAME.to_csv(index=False).encode(),
}
STRUCT = descriptor_pb2.FileDescriptorProto()
struct_pb2.DESCRIPTOR.CopyToProto(STRUCT)
WRITTEN = {
    "AvroSerializer": (
        "AVRO",
        '{"type": "record", "name": "Row", "fields": [{"name": "Temperature", "type": "double"}, '
        '{"name": "CO2", "type": "float"}]}',
        b"\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x805@\x00P4D",
    ),
    "JSONSerializer": (
        "JSON",
        '{"$schema": "http://json-schema.org/draft-07/schema#", "type": "object"}',
        b'\x00\x00\x00\x00\x01{"Temperature":21.5,"CO2":721.25}',
    ),
    "ProtobufSerializer of a Struct": (
        "PROTOBUF",
        base64.b64encode(STRUCT.SerializeToString()).decode(),
        b"\x00\x00\x00\x00\x01\x00\n\x18\n\x0bTemperature\x12\t\x11\x00\x00\x00\x00\x00\x805@"
        b"\n\x10\n\x03CO2\x12\t\x11\x00\x00\x00\x00\x00\x8a\x86@",
    ),
}


@pytest.mark.parametrize("function", CLOUDEVENTS)
def test_cloudevents(function: str) -> None:
    headers, value = CLOUDEVENTS[function]
    batch = one(value, list(headers.items()))
    np.testing.assert_allclose(batch.inputs["input"], [VALUES], rtol=1e-6)
    assert batch.identities[0] == Identity("e1", b"s/room/7")
    assert batch.max_latency_ms[0] == 20


@pytest.mark.parametrize(
    ("value", "headers"),
    [
        (TRITON + raw(1, 2, 3, 4), [("Inference-Header-Content-Length", b"139")]),
        (TRITON + raw(1, 2, 3, 4), None),
        (TRITON_JSON, None),
        (MLSERVER_NUMPY, None),
    ],
)
def test_tensors_of_tritonclient_and_mlserver(value: bytes, headers: Any) -> None:
    np.testing.assert_array_equal(one(value, headers, task=DIGITS).inputs["input"], [[1, 2, 3, 4]])


def test_a_data_frame_of_mlserver() -> None:
    np.testing.assert_allclose(one(MLSERVER_PANDAS).inputs["input"], [VALUES], rtol=1e-6)


@pytest.mark.parametrize("name", TABLES)
def test_tables_of_kafka_connect_and_quix_streams(name: str) -> None:
    batch = one(TABLES[name])
    np.testing.assert_allclose(batch.inputs["input"], [VALUES], rtol=1e-6)


def test_an_array_of_kafka_connect() -> None:
    batch = one(CONNECT_ARRAY, task=DIGITS)
    np.testing.assert_array_equal(batch.inputs["input"], [[1, 2, 3, 4]])


@pytest.mark.parametrize("scale", ["301", "-301", "99999999999999999999", "1e3"])
def test_a_decimal_whose_scale_is_absurd_stays_as_it_is(scale: str) -> None:
    schema = {"name": "org.apache.kafka.connect.data.Decimal", "parameters": {"scale": scale}}
    assert read_payload({"schema": schema, "payload": "ARm9"}) == "ARm9"


def test_dates_of_kafka_connect() -> None:
    batch = one(CONNECT_PUMP, task=PUMP)
    np.testing.assert_array_equal(batch.inputs["input"], [[-3.25, 17]])


@pytest.mark.parametrize("name", WRITTEN)
def test_what_confluents_serialisers_write(name: str) -> None:
    kind, schema, body = WRITTEN[name]
    registry = OwnRegistry()
    number = register(registry.url, "room", schema, kind)
    assert number == 1
    known = SchemaRegistry(registry.url, timeout_s=60)
    decoder = Decoder(ROOM, Policy().for_task("room"), schemas=known)
    batch, rejected = decoder.decode(Columns.of([FakeRecord(body)]), 1e6)
    registry.close()
    assert rejected == []
    expected = [[21.5, float("nan"), 321.25]]
    np.testing.assert_allclose(batch.inputs["input"], expected, rtol=1e-6)


def test_two_rows_of_a_data_frame_by_columns() -> None:
    two = pd.concat([FRAME, FRAME * 2], ignore_index=True).to_json().encode()
    expected = [VALUES, [43.0, 52.6, 2 * 721.25 - 400]]
    np.testing.assert_allclose(one(two).inputs["input"], expected, rtol=1e-6)
