"""A fleet of devices of one task: which of them sends what, drawn from a seed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
import numpy as np
from ounce_schemas.request import (
    CONTENT_TYPE_JSON,
    CONTENT_TYPE_RAW,
    HEADER_CONTENT_TYPE,
    HEADER_ID,
    HEADER_MAX_LATENCY_MS,
    HEADER_MIN_ACCURACY,
    HEADER_SOURCE,
    HEADER_TRACEPARENT,
    REQUEST_EVENT_TYPE,
    FloatTensor,
    PixelTensor,
    Request,
    RequestParameters,
    TextTensor,
)

from ounce_services.devices.samples import Samples
from ounce_services.devices.targets import Targets

_BLOCK = 4096
_JSON = CONTENT_TYPE_JSON.encode()
_RAW = CONTENT_TYPE_RAW.encode()

Headers = list[tuple[str, bytes]]


class OutgoingRequest(NamedTuple):
    """One record to publish."""

    key: bytes
    """The device's id."""
    value: bytes
    headers: Headers
    """None but a JSON body's content type on a bare record."""
    id: str | None
    """None for a bare record: its position in the topic becomes its id."""
    item: int
    """Index into the samples."""


@dataclass(frozen=True)
class FleetShape:
    """What a fleet looks like."""

    n_devices: int
    json_share: float
    """Share of requests with a JSON body, in [0, 1]; the others are raw bytes."""
    traced_share: float
    """Share of requests with a W3C `traceparent`, in [0, 1]."""
    mix: Sequence[Targets]


def draw_requests(
    samples: Samples, shape: FleetShape, *, seed: int, run: str
) -> Iterator[OutgoingRequest]:
    """Requests without end, the same for the same seed except for their ids.

    Args:
        samples: inputs to send; a task that raw bytes can't hold is sent as JSON only.
        shape: devices, body formats and targets.
        seed: of everything drawn.
        run: makes ids unique across runs; the n-th request is `<run>-<n>`.
    """
    task = samples.spec.name
    rng = np.random.default_rng(seed)
    encode = msgspec.json.Encoder().encode
    devices = [f"{task}-device-{i:03}" for i in range(shape.n_devices)]
    keys = [device.encode() for device in devices]
    sources = [f"/ounce/devices/{device}".encode() for device in devices]
    weights = np.array([targets.weight for targets in shape.mix])
    json_share = shape.json_share if samples.spec.accepts_raw else 1.0
    raw = samples.inputs[samples.spec.inputs[0].name]
    sequence = 0
    while True:
        kinds = rng.choice(len(shape.mix), _BLOCK, p=weights / weights.sum()).tolist()
        items = rng.integers(len(samples), size=_BLOCK).tolist()
        senders = rng.integers(shape.n_devices, size=_BLOCK).tolist()
        as_json = (rng.random(_BLOCK) < json_share).tolist()
        traced = (rng.random(_BLOCK) < shape.traced_share).tolist()
        traces = rng.bytes(24 * _BLOCK)
        for n in range(_BLOCK):
            targets, item, sender = shape.mix[kinds[n]], items[n], senders[n]
            id = None if targets.are_bare else f"{run}-{sequence}"
            headers: Headers = []
            if id is not None:
                headers = _cloud_event(id, sources[sender], as_json[n])
                if traced[n]:
                    trace = traces[24 * n : 24 * (n + 1)].hex()
                    headers.append(
                        (HEADER_TRACEPARENT, f"00-{trace[:32]}-{trace[32:]}-01".encode())
                    )
            elif as_json[n]:
                headers.append((HEADER_CONTENT_TYPE, _JSON))
            if as_json[n]:
                value = encode(_json_body(samples, item, id, targets))
            else:
                value = raw[item].tobytes()
                headers += _target_headers(targets)
            sequence += 1
            yield OutgoingRequest(keys[sender], value, headers, id, item)


def _cloud_event(id: str, source: bytes, as_json: bool) -> Headers:
    return [
        ("ce_specversion", b"1.0"),
        (HEADER_ID, id.encode()),
        (HEADER_SOURCE, source),
        ("ce_type", REQUEST_EVENT_TYPE.encode()),
        (HEADER_CONTENT_TYPE, _JSON if as_json else _RAW),
    ]


def _target_headers(targets: Targets) -> Headers:
    headers: Headers = []
    if targets.max_latency_ms is not None:
        headers.append((HEADER_MAX_LATENCY_MS, f"{targets.max_latency_ms:g}".encode()))
    if targets.min_accuracy is not None:
        headers.append((HEADER_MIN_ACCURACY, f"{targets.min_accuracy:g}".encode()))
    return headers


def _json_body(samples: Samples, item: int, id: str | None, targets: Targets) -> Request:
    """An Open Inference Protocol V2 body; a JSON request carries its targets there."""
    tensors: list[FloatTensor | PixelTensor | TextTensor] = []
    for spec in samples.spec.inputs:
        data = samples.inputs[spec.name][item].ravel().tolist()
        shape = [1, *spec.shape]
        if spec.datatype == "FP32":
            # NaN, a missing value, is encoded as null.
            tensors.append(FloatTensor(spec.name, shape, data))
        elif spec.datatype == "UINT8":
            tensors.append(PixelTensor(spec.name, shape, data))
        else:
            tensors.append(TextTensor(spec.name, shape, data))
    parameters = (
        None
        if targets.are_bare
        else RequestParameters(targets.max_latency_ms, targets.min_accuracy)
    )
    return Request(tensors, id=id, parameters=parameters)
