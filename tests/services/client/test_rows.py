"""Rows of files."""

from pathlib import Path
from typing import Any

import pytest
from ounce_schemas.errors import DataError
from ounce_services.client.rows import read_rows


@pytest.mark.parametrize(
    ("name", "content", "rows"),
    [
        ("a.csv", "a,b\n1,x\n2,y\n", [{"a": "1", "b": "x"}, {"a": "2", "b": "y"}]),
        ("a.csv", "\ufeffa;b\r\n1;x\r\n\r\n", [{"a": "1", "b": "x"}]),
        ("a.tsv", "a\tb\n1\tx, y", [{"a": "1", "b": "x, y"}]),
        ("a.csv", "1,2.5\n3,-4e1\n", ["1,2.5", "3,-4e1"]),
        ("a.csv", "1;2\n3;4\n", ["1,2", "3,4"]),
        ("a.csv", "1,,2\n3,4,5\n", ["1,,2", "3,4,5"]),
        (
            "a.csv",
            'a,b\n1,2\n"x, y"\n3,4\n',
            [{"a": "1", "b": "2"}, 'a,b\n"x, y"\n', {"a": "3", "b": "4"}],
        ),
        ("a.jsonl", '{"a": 1}\n\n{"a": 2}\n', [b'{"a": 1}', b'{"a": 2}']),
        ("a.json", '[{"a": 1}, {"a": 2}]', [{"a": 1}, {"a": 2}]),
        ("a.json", "[1, 2]", [b"[1, 2]"]),
        ("a.bin", "abc", [b"abc"]),
    ],
)
def test_a_file_s_rows(tmp_path: Path, name: str, content: str, rows: list[Any]) -> None:
    path = tmp_path / name
    path.write_bytes(content.encode())
    assert read_rows(None, path) == rows


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.csv", b"", "holds 0 rows"),
        ("a.csv", b"a,b\n", "holds 0 rows"),
        ("a.csv", b"a,b\n1,2\n1,2,3\n3\n", "line 3 has 3 values, and the first 2"),
        ("a.csv", b"a,b\n\xff,2\n", "byte 4 is no UTF-8; save it so"),
        ("a.json", b"{", "can't be read"),
        ("a.jsonl", b"1\n" * 10_001, "holds 10,001 rows"),
    ],
)
def test_a_file_that_holds_no_rows_is_named(
    tmp_path: Path, name: str, content: bytes, why: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=why):
        read_rows(None, path)


def test_a_file_that_is_absent_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent.csv: can't be read: No such file"):
        read_rows(None, tmp_path / "absent.csv")
