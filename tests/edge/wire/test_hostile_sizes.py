"""Bodies that are small and would take much: memory, time or digits."""

import json
import tracemalloc
from typing import Any

import cbor2
import pytest
from ounce_edge.wire.formats.columns import ColumnReader
from ounce_schemas.errors import InvalidMessageError

from tests.edge.wire.test_device_bodies import BY_PATHS, CLIMATE, why_not
from tests.support.edge.formats import as_bytes

LONG = "x" * 5000
MANY = {f"k{i}": 1 for i in range(1000)}
REPEATED: dict[str, Any] = {
    "a path": {LONG: MANY},
    "a path, beside a value": {LONG: MANY, "y": 1},
    "paths": {f"{i}{LONG}": {"a": 1} for i in range(150)},
    "a base name": [{"bn": LONG, "n": "a", "v": 1}, *({"n": name, "v": 1} for name in MANY)],
}
HUGE = 10**400
ROW = {"temperature": 1, "humidity": 2}
NUMBERS: dict[str, Any] = {
    "a value": {"temperature": HUGE, "humidity": 2},
    "a deadline": {**ROW, "max_latency_ms": HUGE},
    "a deadline below": {**ROW, "max_latency_ms": -HUGE},
    "a floor beside a row": {"data": ROW, "min_accuracy": HUGE},
    "a base value": [{"n": "Temperature", "v": 1, "bv": HUGE}, {"n": "Humidity", "v": 1}],
    "a shape of Seldon": {"data": {"tensor": {"shape": [HUGE, HUGE], "values": []}}},
    "a shape": {
        "inputs": [{"name": "x", "shape": [HUGE] * 20, "datatype": "FP32", "data": [1, 2]}]
    },
    "dimensions": {
        "inputs": [{"name": "x", "shape": [10**9] * 1000, "datatype": "FP32", "data": [1, 2]}]
    },
}


@pytest.mark.parametrize("name", REPEATED)
@pytest.mark.parametrize("task", [CLIMATE, BY_PATHS], ids=["plain", "by paths"])
def test_names_are_not_repeated_in_each_part(name: str, task: Any) -> None:
    body = as_bytes(REPEATED[name])
    tracemalloc.start()
    try:
        why_not(body, task)
        _, most_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most_bytes < 30 * len(body)


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_over_the_range_is_refused_as_such(name: str) -> None:
    for body in (json.dumps(NUMBERS[name]).encode(), cbor2.dumps(NUMBERS[name])):
        found = why_not(body)
        assert "please report" not in found
        assert len(found) < 2000


def test_long_names_are_not_kept() -> None:
    columns = ColumnReader(CLIMATE)
    tracemalloc.start()
    try:
        for i in range(100):
            with pytest.raises(InvalidMessageError):
                columns.read({f"{i}{LONG}": 1})
        kept_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept_bytes < 10 * len(LONG)
