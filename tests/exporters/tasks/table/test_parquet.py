"""Parquet files: every usual type is read, the others are left out with a notice."""

import datetime as dt
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ounce_exporters.tasks.table.options import Writing
from ounce_exporters.tasks.table.reading import read_table
from ounce_schemas.errors import DataError

NOON = dt.datetime(2026, 3, 1, 12, 30)


@pytest.mark.parametrize(
    ("array", "cells"),
    [
        (pa.array([Decimal("1.25"), None], pa.decimal128(12, 2)), [1.25, None]),
        (pa.array([True, False, None]), [1, 0, None]),
        (pa.array([3, None], pa.int64()), [3, None]),
        (pa.array([2**63], pa.uint64()), [2.0**63]),
        (pa.array(np.array([0.5], np.float16)), [0.5]),
        (pa.array(["a", None, " b "]), ["a", "", "b"]),
        (pa.array(["a", None], pa.large_string()), ["a", ""]),
        (pa.array(["a", None], pa.string_view()), ["a", ""]),
        (pa.array(["a", "b", None]).dictionary_encode(), ["a", "b", ""]),
        (pa.array([4, None], pa.int8()).dictionary_encode(), [4, None]),
        (pa.array([NOON, None]), ["2026-03-01T12:30:00", ""]),
        (pa.array([NOON], pa.timestamp("ns", "Asia/Tokyo")), ["2026-03-01T21:30:00"]),
        (pa.array([NOON.date()]), ["2026-03-01"]),
        (pa.array([NOON.time()]), ["12:30:00"]),
        (pa.array([dt.timedelta(minutes=2)]), [120]),
        (pa.array([None, None], pa.null()), ["", ""]),
    ],
)
def test_types_become_numbers_or_texts(
    array: pa.Array, cells: list[object], tmp_path: Path
) -> None:
    pq.write_table(pa.table({"x": array}), tmp_path / "t.parquet")
    found = read_table(tmp_path / "t.parquet", Writing(), "y").frame["x"].tolist()
    assert [None if cell != cell else cell for cell in found] == cells


@pytest.mark.parametrize(
    "array", [pa.array([[1.0]]), pa.array([{"a": 1}]), pa.array([b"\x00\xff"])]
)
def test_what_can_not_be_sent_is_left_out(array: pa.Array, tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": array, "v": [1]}), tmp_path / "t.parquet")
    table = read_table(tmp_path / "t.parquet", Writing(), "y")
    assert list(table.frame) == ["v"]
    assert table.notices[0].startswith("column 'x' is left out: values of type ")


def test_an_index_with_a_name_is_a_column(tmp_path: Path) -> None:
    data = pd.DataFrame({"temp": [1.5, 2.5], "y": ["a", "b"]})
    data.set_index("temp").to_parquet(tmp_path / "t.parquet")
    assert set(read_table(tmp_path / "t.parquet", Writing(), "y").frame) == {"temp", "y"}
    data.set_index(pd.Index(["p", "q"])).to_parquet(tmp_path / "t.parquet")
    table = read_table(tmp_path / "t.parquet", Writing(), "y")
    assert list(table.frame) == ["temp", "y"]
    assert table.notices == ("the index that pandas wrote is left out: it has no name",)


def test_names_that_repeat_are_told(tmp_path: Path) -> None:
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    pq.write_table(twice, tmp_path / "t.parquet")
    with pytest.raises(DataError, match="column names repeat: 'a'"):
        read_table(tmp_path / "t.parquet", Writing(), "y")


def test_truth_values_to_predict_are_classes(tmp_path: Path) -> None:
    pq.write_table(pa.table({"on": [True, False], "y": [True, False]}), tmp_path / "t.parquet")
    frame = read_table(tmp_path / "t.parquet", Writing(), "y").frame
    assert frame["on"].tolist() == [1, 0]
    assert frame["y"].tolist() == ["true", "false"]
