"""Bodies as devices, gateways and clouds write them, after their public documentation."""

import base64
import json
import zlib
from typing import Any

import numpy as np
import pytest
from ounce_edge.wire.records import Columns
from ounce_edge.wire.requests.decoding import Decoder
from ounce_schemas.cells import Cell
from ounce_schemas.errors import InvalidMessageError, Reason
from ounce_schemas.policy import Policy
from ounce_schemas.task import TaskSpec, TensorSpec

from tests.support.edge.formats import as_bytes
from tests.support.edge.ladders import DIGITS, FakeRecord


def task_of(*aliases: tuple[str, ...]) -> TaskSpec:
    names = ("Temperature", "Humidity")
    cells = [
        Cell(column=name, read="number", aliases=own)
        for name, own in zip(names, aliases, strict=True)
    ]
    spec = TensorSpec(name="input", datatype="FP32", shape=(2,), columns=names, cells=tuple(cells))
    return TaskSpec(
        name="climate", kind="classification", description="Needs both", inputs=(spec,),
        labels=("dry", "wet"),
    )  # fmt: skip


CLIMATE = task_of(("temp", "tmp"), ("hum",))
BY_PATHS = task_of(
    ("params.temperature:0.tC", "object.temperatureSensor.1", "/3303/0/5700", "state"),
    ("params.humidity:0.rh", "object.humiditySensor.2", "/3304/0/5700", "attributes.humidity"),
)
ROW = {"temperature": 23.5, "humidity": 40}
OLD = {"temperature": 1, "humidity": 2}
SOURCE = {"version": "3.0", "connector": "postgresql", "db": "d", "schema": "public", "table": "t"}
TEXT = json.dumps(ROW)
BASE64 = base64.b64encode(TEXT.encode()).decode()


def opc_ua(*values: object) -> dict[str, Any]:
    payload = dict(zip(("Temperature", "Humidity"), values, strict=True))
    messages = [{"DataSetWriterId": 1, "SequenceNumber": 224, "Payload": payload}]
    return {"MessageId": "1", "MessageType": "ua-data", "Messages": messages}


def otlp(name: str, point: dict[str, Any], kind: str = "gauge") -> dict[str, Any]:
    return {"name": name, "unit": "1", kind: {"dataPoints": [{"timeUnixNano": "15", **point}]}}


def of_otlp(*metrics: dict[str, Any]) -> dict[str, Any]:
    scope = {"scope": {"name": "my.library"}, "metrics": [*metrics]}
    attributes = [{"key": "service.name", "value": {"stringValue": "my.service"}}]
    return {"resourceMetrics": [{"resource": {"attributes": attributes}, "scopeMetrics": [scope]}]}


def edgex(name: str, value: str) -> dict[str, Any]:
    return {"resourceName": name, "valueType": "Float64", "value": value}


def sparkplug(*metrics: tuple[str, object]) -> dict[str, Any]:
    found = [{"name": n, "timestamp": 1486144502122, "value": v} for n, v in metrics]
    return {"timestamp": 1486144502122, "metrics": found, "seq": 2}


BODIES: dict[str, Any] = {
    "Tasmota": {
        "Time": "2019-11-03T20:45:37", "SI7021": {"Temperature": 23.5, "Humidity": 40},
        "TempUnit": "C",
    },
    "Zigbee2MQTT": {**ROW, "battery": 83, "linkquality": 63, "update": {"state": "idle"}},
    "Shelly, first generation": {
        "tmp": {"value": 23.5, "units": "C", "tC": 23.5}, "hum": {"value": 40, "is_valid": True},
    },
    "ESPHome": ROW,
    "Home Assistant, weather": {"entity_id": "weather.home", "state": "sunny", "attributes": ROW},
    "Sparkplug B": sparkplug(("Temperature", 23.5), ("Humidity", 40), ("none", None), ("x", {})),
    "Sparkplug B, Protobuf's JSON": {
        "metrics": [
            {"name": "Temperature", "floatValue": 23.5}, {"name": "Humidity", "intValue": 40},
        ],
    },
    "SenML with a base value": [
        {"bn": "urn:dev:ow:10e2073a01080063:", "bv": 20, "n": "Temperature", "v": 3.5},
        {"n": "Humidity", "v": 20},
    ],
    "AWS IoT shadow": {
        "state": {"desired": {"temperature": 20, "humidity": 30}, "reported": ROW},
        "metadata": {"reported": {k: {"timestamp": 1} for k in ROW}},
    },
    "AWS IoT shadow, documents": {
        "previous": {"state": {"reported": {"temperature": 1, "humidity": 2}}},
        "current": {"state": {"reported": ROW}, "version": 2},
    },
    "Azure IoT, a twin": {
        "properties": {"desired": {"temperature": 1, "humidity": 1}, "reported": ROW},
    },
    "Azure IoT, routed": {"body": ROW, "enqueuedTime": "2019-10-18T15:44:28.068Z"},
    "Azure Event Grid": {"data": {"systemProperties": {}, "body": BASE64}, "id": "1"},
    "Google Pub/Sub": {"message": {"data": BASE64, "messageId": "1"}, "subscription": "s"},
    "EMQX": {"topic": "t/1", "qos": 1, "payload": TEXT, "clientid": "c"},
    "ThingsBoard": {"ts": 1451649600512, "values": ROW},
    "ThingsBoard, a gateway": {"Device A": [{"ts": 1483228800000, "values": ROW}]},
    "The Things Stack": {
        "end_device_ids": {"device_id": "d"},
        "uplink_message": {
            "frm_payload": "gkHe", "decoded_payload": ROW, "rx_metadata": [{"rssi": -35}],
        },
    },
    "The Things Network, version 2": {"payload_raw": "AQ==", "payload_fields": ROW},
    "OPC UA": opc_ua(23.5, 40),
    "OPC UA, typed": opc_ua({"Type": 11, "Body": 23.5}, {"Type": 11, "Body": 40}),
    "OPC UA, with times": opc_ua(
        {"Value": {"Type": 11, "Body": 23.5}, "SourceTimestamp": "x"}, {"Value": 40}
    ),
    "Telegraf": {"fields": ROW, "name": "room", "tags": {"host": "x"}, "timestamp": 1458229140},
    "OpenTelemetry": of_otlp(
        otlp("temperature", {"asDouble": 23.5}), otlp("humidity", {"asInt": "40"}, "sum")
    ),
    "FIWARE NGSI": {
        "id": "Room1", "type": "Room", "temperature": {"value": 23.5, "type": "Float"},
        "humidity": {"value": 40, "type": "Integer"},
    },
    "EdgeX": {"event": {"readings": [edgex("Temperature", "23.5"), edgex("Humidity", "40")]}},
    "TagoIO": [
        {"variable": "temperature", "value": 23.5, "unit": "C"},
        {"variable": "humidity", "value": 40},
    ],
    "IBM Watson IoT": {"d": ROW},
    "Tuya": {"devId": "1", "status": [{"code": k, "value": v} for k, v in ROW.items()]},
    "Debezium": {"before": OLD, "after": ROW, "source": SOURCE, "op": "u", "ts_ms": 1},
    "Debezium with a schema": {
        "schema": {"type": "struct"}, "payload": {"before": OLD, "after": ROW, "op": "u"},
    },
    "Debezium, of MongoDB": {"before": None, "after": TEXT, "source": SOURCE, "op": "c"},
    "GoldenGate": {"table": "T", "op_type": "U", "before": OLD, "after": ROW},
    "Maxwell": {"database": "d", "table": "t", "type": "update", "data": ROW, "old": OLD},
    "Canal": {"type": "UPDATE", "table": "t", "data": [ROW], "old": [OLD]},
    "AWS DMS": {"data": ROW, "metadata": {"operation": "update", "table-name": "t"}},
    "DynamoDB streams": {
        "eventName": "MODIFY",
        "dynamodb": {
            "Keys": {"id": {"S": "1"}},
            "NewImage": {"temperature": {"N": "23.5"}, "humidity": {"N": "40"}},
            "OldImage": {"temperature": {"N": "1"}, "humidity": {"N": "2"}},
        },
    },
    "MongoDB's extended JSON": {
        "_id": {"$oid": "5d50"}, "temperature": {"$numberDouble": "23.5"},
        "humidity": {"$numberInt": "40"},
    },
    "Avro in JSON": {"temperature": {"double": 23.5}, "humidity": {"int": 40}},
    "a web form": "temperature=23.5&humidity=40&note=a+b%3D",
    "pairs": "temperature=23.5 humidity=40",
    "pairs with semicolons": "temperature:23.5; humidity:40;",
    "pairs with commas": "Temp: 23.5, Hum: 40, at: 12:30:00\r\n",
    "pairs in lines": 'temperature: 23.5\r\nhumidity: "40"\r\nnote: a=b, c\r\n',
    "Eclipse Ditto": {"topic": "ns/x", "path": "/features", "value": {"t": {"properties": ROW}}},
    "Seldon, tensor": {
        "data": {"names": [*ROW], "tensor": {"shape": [1, 2], "values": [23.5, 40]}},
    },
    "Seldon, text": {"strData": TEXT},
}  # fmt: skip
BODIES_BY_PATHS: dict[str, Any] = {
    "Shelly": {
        "src": "shellyplusht-1", "method": "NotifyFullStatus",
        "params": {
            "ts": 1656921631.58, "temperature:0": {"id": 0, "tC": 23.5, "tF": 74.3},
            "humidity:0": {"id": 0, "rh": 40},
        },
    },
    "LwM2M, SenML": [
        {"bn": "/3303/0/", "n": "5700", "v": 23.5}, {"bn": "/3304/0/", "n": "5700", "v": 40},
    ],
    "ChirpStack, Cayenne": {
        "object": {"temperatureSensor": {"1": 23.5}, "humiditySensor": {"2": 40}},
    },
    "Home Assistant": {"state": "23.5", "attributes": {"humidity": 40, "device_class": "x"}},
}  # fmt: skip


def read(body: Any, task: TaskSpec, content_type: bytes | None = None) -> Any:
    headers = None if content_type is None else [("content-type", content_type)]
    decoder = Decoder(task, Policy().for_task(task.name))
    return decoder.decode(Columns.of([FakeRecord(as_bytes(body), headers)]), 1_000_050.0)


def why_not(body: Any, task: TaskSpec = CLIMATE, content_type: bytes | None = None) -> str:
    batch, rejected = read(body, task, content_type)
    assert len(batch) == 0
    [(_, error)] = rejected
    assert isinstance(error, InvalidMessageError)
    return f"{error.reason} {error.text}"


@pytest.mark.parametrize("sender", BODIES)
def test_a_body_is_understood(sender: str) -> None:
    batch, rejected = read(BODIES[sender], CLIMATE)
    assert rejected == []
    np.testing.assert_allclose(batch.inputs["input"], [[23.5, 40]])


@pytest.mark.parametrize("sender", BODIES_BY_PATHS)
def test_values_in_several_objects_are_found_by_aliases(sender: str) -> None:
    batch, rejected = read(BODIES_BY_PATHS[sender], BY_PATHS)
    assert rejected == []
    np.testing.assert_allclose(batch.inputs["input"], [[23.5, 40]])
    assert why_not(BODIES_BY_PATHS[sender]).startswith(Reason.MISSING_INPUT)


REFUSED: list[tuple[Any, str]] = [
    (BODIES_BY_PATHS["Shelly"], "'params.temperature:0.tC'"),
    (BODIES_BY_PATHS["LwM2M, SenML"], "none of ['/3303/0/5700', '/3304/0/5700'] is a column"),
    (sparkplug(("Temperature", 1), ("Temperature", 2), ("Humidity", 3)), "'metrics'"),
    (of_otlp(otlp("temperature", {"asDouble": 1}), otlp("other", {"asInt": 4})), "resourceMetrics"),
    ({"state": {"desired": ROW, "reported": {"on": True}}}, "none of ['state']"),
    ({"uplink_message": {"frm_payload": "gkHe"}}, "give the network a payload formatter"),
    ({"fCnt": 4, "fPort": 1, "data": "AQID"}, "`data` holds the device's own bytes"),
    ({"data": {"tensor": {"shape": [2, 2], "values": [1]}}}, "tensor has 1 value and shape"),
    ({"data": {"tensor": {"shape": [10**9, 0], "values": []}}}, "tensor has 0 values and shape"),
    ({"payload": "{" * 9}, "not JSON"),
    ({"payload": "hello"}, "none of ['payload']"),
    ("# HELP t x\nt 23.5", "looks like Prometheus' text format"),
    ("23.5", "looks like text, and begins '23.5'"),
    (b"\x82\xa4temp\x17\xa3hum\x28", "looks like MessagePack"),
    (opc_ua({"Value": {"Value": {"Value": 1}}}, 2), "'Temperature' holds"),
    ([{"n": "Temperature", "v": 10**400, "bv": 1}], "Humidity"),
    ("temperature=23.5&humidity=", "value 1 (Humidity)"),
    ("temperature=23.5 temperature=24 humidity=40", "looks like text"),
    ("temperature=23.5", "column ['Humidity'] is missing"),
    ("temperature:23.5|g\nhumidity:40|g", "'Temperature' holds '23.5|g'"),
    ("heat=23.5&wet=40", "looks like text, and begins 'heat=23.5&wet=40'"),
    (zlib.compress(TEXT.encode()), "looks like zlib; send it uncompressed"),
    (b"\x13\0\0\0\x10humidity\0\x28\0\0\0\0", "looks like BSON; send JSON"),
    (b"\x03\0" + b"\x11" * 16 + b"\x2f\x40", "looks like AWS Glue's framing"),
]


@pytest.mark.parametrize(("body", "text"), REFUSED)
def test_a_body_is_refused_by_its_name(body: Any, text: str) -> None:
    assert text in why_not(body)


@pytest.mark.parametrize("kind", ["ndarray", "tensor"])
def test_rows_of_seldon_without_names(kind: str) -> None:
    rows = [[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]
    flat = {"shape": [2, 4], "values": [*rows[0], *rows[1]]}
    batch, rejected = read({"data": {kind: rows if kind == "ndarray" else flat}}, DIGITS)
    assert rejected == []
    np.testing.assert_array_equal(batch.inputs["input"], rows)


@pytest.mark.parametrize(
    "body",
    [
        {"jsonData": ROW}, {"instances": [ROW]}, {"instances": [{"features": [23.5, 40]}]},
        {"inputs": {"temperature": [23.5], "humidity": [40]}},
        {"dataframe_split": {"columns": [*ROW], "data": [[23.5, 40]]}},
    ],
)  # fmt: skip
def test_rows_as_model_servers_take_them(body: Any) -> None:
    batch, rejected = read(body, CLIMATE)
    assert rejected == []
    np.testing.assert_allclose(batch.inputs["input"], [[23.5, 40]])


def test_sparkplug_in_protobuf_is_refused() -> None:
    """A payload of one metric, as the specification's schema writes it."""
    at = b"\xe6\x8f\xc3\x99\x9d+"
    body = b"\x08" + at + b"\x12\x1d\n\x0bTemperature\x18" + at + b" \t\x65\0\0\xbcA"
    assert "looks like Sparkplug B in Protobuf; let the edge node" in why_not(body)
