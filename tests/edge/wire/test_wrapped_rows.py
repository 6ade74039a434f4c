"""Rows as gateways, clouds and agents wrap them: found where one alone is meant."""

import json
from typing import Any

import numpy as np
import pytest
from ounce_edge.wire.formats.columns import ColumnReader
from ounce_edge.wire.formats.line_protocol import line_rows
from ounce_edge.wire.formats.nested import row_of_pairs, row_within
from ounce_schemas.errors import Reason

from tests.support.edge.formats import ROOM, ROW, VALUES, one, refusal

LINE = r"room,id=7 Temperature=21.5,Relative\ Humidity=26.3,CO2=721.25"
WRAPPED: dict[str, Any] = {
    "Tasmota": {"Time": "2026-01-31T12:00:00", "SCD40": ROW, "TempUnit": "C"},
    "The Things Stack": {"received_at": "x", "uplink_message": {"decoded_payload": ROW}},
    "ChirpStack": {"deviceInfo": {"devEui": "1"}, "fCnt": 1, "object": ROW},
    "a device shadow": {"state": {"reported": ROW}},
    "Event Hubs": {"body": ROW, "enqueuedTime": "x"},
    "Telegraf's JSON": {"fields": ROW, "name": "room", "tags": {"host": "x"}, "timestamp": 1},
    "Telegraf's JSON, a batch": {"metrics": [{"fields": ROW, "name": "room"}]},
    "Pandas by index": {"0": ROW},
    "Seldon": {"data": {"names": [*ROW], "ndarray": [[*ROW.values()]]}},
    "SenML": [{"bn": "urn:dev:1:", "n": k, "v": v} for k, v in ROW.items()],
    "SenML, before the RFC": {"e": [{"n": k, "v": v} for k, v in ROW.items()]},
    "names and values": [{"name": k, "value": v} for k, v in ROW.items()],
    "limits beside it": {"limits": {"Temperature": 80}, "deep": {"reading": ROW}},
}


@pytest.mark.parametrize("sender", WRAPPED)
def test_a_wrapped_row_is_found(sender: str) -> None:
    np.testing.assert_allclose(one(WRAPPED[sender]).inputs["input"], [VALUES], rtol=1e-6)


@pytest.mark.parametrize(
    "document",
    [
        {"limits": {"Temperature": 80}, "reading": {"temp_c": 21.5}},
        {"a": ROW, "b": {**ROW, "CO2": 1}},
        {"a": {"b": {"c": {"d": {"e1": {"f": {"g": ROW}}}}}}},
        {str(i): {"x": 1} for i in range(300)},
        [{"n": "Temperature", "v": 1}, {"n": "Temperature", "v": 2}],
        [{"n": "Temperature"}],
    ],
)
def test_what_could_mean_several_things_is_refused(document: Any) -> None:
    assert "is a column of task room" in refusal(document).text


@pytest.mark.parametrize("end", ["", " 1769860800000000000", "\n", " -1\r\n"])
def test_influx_line_protocol(end: str) -> None:
    batch = one(LINE + end)
    np.testing.assert_allclose(batch.inputs["input"], [VALUES], rtol=1e-6)


def test_lines_are_rows_and_values_have_types() -> None:
    text = (
        '# a comment\nroom Temperature=21i,CO2=721u,note="a, b=c \\"d\\""\nroom,CO2=1 Temperature=2'
    )
    expected = [[21, np.nan, 321], [2, np.nan, -399]]
    np.testing.assert_allclose(one(text).inputs["input"], expected)


@pytest.mark.parametrize(
    "text",
    [
        "room Temperature=21.5,",
        "room Temperature=21.5 x",
        "room,Temperature=21.5",
        'room Temperature="21',
        "room temp_c=21.5 1",
        "room " + "a=" * 50_000,
        "\\" * 99_999 + "=",
    ],
)
def test_what_is_no_line_protocol_is_refused(text: str) -> None:
    assert json.dumps(refusal(text).text)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n"])
def test_objects_in_lines_are_rows(end: str) -> None:
    lines = [json.dumps(row) for row in (ROW, {**ROW, "CO2": float("nan")}, ROW)]
    batch = one(end.join([*lines, ""]))
    expected = [VALUES, [*VALUES[:2], np.nan], VALUES]
    np.testing.assert_allclose(batch.inputs["input"], expected, rtol=1e-6)


@pytest.mark.parametrize("last", ['{"CO2": 1, "CO2": 2}', '{"CO2": 1', "{}", '{"a": 1}'])
def test_lines_of_which_one_is_wrong_are_refused(last: str) -> None:
    error = refusal(f"{json.dumps(ROW)}\n{last}")
    assert error.reason in (Reason.MALFORMED_JSON, Reason.MISSING_INPUT)


def test_rows_are_looked_for_without_a_look_for_misspelt_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """That costs so much that one message of many parts would hold up all others for minutes."""
    columns, layouts = ColumnReader(ROOM), list[tuple[str, ...]]()
    find = ColumnReader._find_layout
    monkeypatch.setattr(
        ColumnReader, "_find_layout", lambda *a: (layouts.append(a[1]), find(*a))[1]
    )
    parts = {str(i): {f"Temperatrue{i}": 1, f"CO2{i}": 2} for i in range(100)}
    assert row_within({**parts, "row": ROW}, columns) == ROW
    assert row_of_pairs([{"n": k, "v": v} for k, v in ROW.items()], columns) == ROW
    lines = "\n".join(f"room CO2=1,Temperatrue{i}=2" for i in range(100))
    assert len(line_rows(lines, columns) or ()) == 100
    assert not layouts


def test_layouts_of_very_many_names_are_not_kept() -> None:
    columns = ColumnReader(ROOM)
    assert columns.layout([*ROW, *map(str, range(20))]) is columns.layout(
        [*ROW, *map(str, range(20))]
    )
    columns.layout([*ROW, *map(str, range(10_000))])
    assert len(columns._layouts) == 1


def test_rows_of_many_kinds_are_not_all_looked_through_for_misspelt_names() -> None:
    rows = [{"Temperature": 1, f"other {i}": 2} for i in range(20)]
    assert len(one([*rows, {"Temperature": 1, "Relative Humidty": 3}])) == 21


def test_a_misspelt_name_is_found_in_each_of_the_first_rows() -> None:
    rows = [ROW, {"Temperature": 1, "CO2": 2, "Relative Humidty": 3}]
    assert "row 1: 'Relative Humidty' is no column" in refusal(rows).text
