"""Changes of databases, and pairs of names and values: which row they are, and what stands around
it."""

from typing import Any

import numpy as np
import pytest

from tests.edge.wire.test_device_bodies import BODIES, CLIMATE, ROW, SOURCE, read, why_not


@pytest.mark.parametrize(
    "body",
    [
        {"before": ROW, "after": None, "source": SOURCE, "op": "d"},
        {"schema": {"type": "struct"}, "payload": {"before": ROW, "after": None, "op": "d"}},
        {"table": "T", "op_type": "D", "before": ROW},
        {"database": "d", "table": "t", "type": "delete", "data": ROW},
        {"type": "DELETE", "table": "t", "data": [ROW], "old": None},
        {"data": ROW, "metadata": {"operation": "delete", "table-name": "t"}},
        {"eventName": "REMOVE", "dynamodb": {"OldImage": {"temperature": {"N": "1"}}}},
        {**ROW, "__deleted": "true"},
        {**ROW, "__deleted": True, "__lsn": 1},
        {**ROW, "__op": "d"},
    ],
)
def test_a_row_that_was_deleted_is_not_answered(body: Any) -> None:
    assert "it tells that a row was deleted" in why_not(body)


@pytest.mark.parametrize(
    ("body", "operation"),
    [
        (
            {"data": None, "database": "d", "table": "t", "isDdl": True, "type": "ALTER",
             "sql": "ALTER TABLE t ADD COLUMN c INT"},
            "alter",
        ),
        ({"data": None, "database": "d", "isDdl": True, "type": "QUERY", "table": ""}, "query"),
        (
            {"database": "d", "table": "t", "type": "table-alter", "old": {}, "def": {},
             "sql": "alter table t add c int"},
            "table-alter",
        ),
        ({"before": None, "after": None, "source": SOURCE, "op": "t"}, "truncate"),
        ({"table": "T", "op_type": "T", "before": None, "after": None}, "truncate"),
        ({"data": None, "database": "d", "table": "t", "isDdl": False, "type": "TRUNCATE"},
         "truncate"),
    ],
)  # fmt: skip
def test_a_change_of_a_table_is_told_as_what_it_is(body: Any, operation: str) -> None:
    told = why_not(body)
    assert f"it tells of a change of a table ({operation!r}), which holds no row" in told


def test_a_row_that_debezium_wrote_flat_is_read_where_it_was_not_deleted() -> None:
    batch, rejected = read({**ROW, "__deleted": "false", "__op": "u"}, CLIMATE)
    assert rejected == []
    np.testing.assert_allclose(batch.inputs["input"], [[23.5, 40]])


def test_what_stands_around_the_row_of_a_change_counts() -> None:
    for change in ({"table": "t", "data": ROW}, {"metadata": {"operation": "load"}, "data": ROW}):
        batch, rejected = read({**change, "id": "r-1", "max_latency_ms": 7}, CLIMATE)
        assert rejected == []
        assert (batch.whole_ids(), batch.max_latency_ms.tolist()) == ([b'"r-1"'], [7.0])


def test_a_web_form_is_read_by_its_content_type() -> None:
    batch, rejected = read(BODIES["a web form"], CLIMATE, b"application/x-www-form-urlencoded")
    assert rejected == []
    np.testing.assert_allclose(batch.inputs["input"], [[23.5, 40]])


def test_what_pairs_say_beside_the_columns_counts() -> None:
    body = "temperature=23.5&humidity=40&id=r-1&max_latency_ms=7&min_accuracy="
    batch, rejected = read(body, CLIMATE)
    assert rejected == []
    assert (batch.whole_ids(), batch.max_latency_ms.tolist()) == ([b'"r-1"'], [7.0])


def test_a_gap_of_dynamodb_is_missing() -> None:
    image = {"temperature": {"NULL": True}, "humidity": {"N": "40"}}
    assert "(Temperature) of input 'input' is nan" in why_not({"dynamodb": {"NewImage": image}})


def test_what_only_looks_like_a_change_is_read() -> None:
    batch, rejected = read({"table": 4, "data": ROW, "before": "noon"}, CLIMATE)
    assert rejected == []
    np.testing.assert_allclose(batch.inputs["input"], [[23.5, 40]])
