"""Messages that real clients wrote are served.

The bytes were recorded from cloudevents 2.2.0, tritonclient 2.73.0 and mlserver 1.7.1 in an
environment of their own: their requirements are not those of this project.
"""

from typing import Any

import numpy as np
import pytest

from tests.support.edge.formats import VALUES, one
from tests.support.edge.ladders import DIGITS, raw

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


@pytest.mark.parametrize("function", CLOUDEVENTS)
def test_cloudevents(function: str) -> None:
    headers, value = CLOUDEVENTS[function]
    batch = one(value, list(headers.items()))
    np.testing.assert_allclose(batch.inputs["input"], [VALUES], rtol=1e-6)
    assert batch.identities[0] == ("e1", b"s/room/7")
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
