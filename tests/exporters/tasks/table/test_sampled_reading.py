"""A file that is too large is read in part: evenly, the same rows each time, and it is said."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ounce_exporters.tasks.table import sampled_reading
from ounce_exporters.tasks.table.options import Writing
from ounce_exporters.tasks.table.reading import Table, read_table
from ounce_exporters.tasks.table.sampled_reading import read_text
from ounce_schemas.errors import DataError

N = 20_000


@pytest.fixture(autouse=True)
def _little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampled_reading, "MOST_CELLS", 15_000)
    monkeypatch.setattr(sampled_reading, "MOST_BYTES", 10_000_000)


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {"number": np.arange(N), "x": rng.normal(size=N).round(3), "y": ["no", "yes"] * (N // 2)}
    )


def check(table: Table) -> None:
    numbers = table.frame["number"].astype(float).to_numpy()
    assert len(numbers) == pytest.approx(5_000, rel=0.1)
    assert (np.diff(numbers) > 0).all()
    assert numbers.mean() == pytest.approx(N / 2, rel=0.05)
    assert any("of 2" in line and "chosen by chance" in line for line in table.notices) or any(
        "of 19,9" in line for line in table.notices
    )


@pytest.mark.parametrize("packed", [False, True])
def test_a_text_file(tmp_path: Path, *, packed: bool) -> None:
    path = tmp_path / ("t.csv.gz" if packed else "t.csv")
    frame().to_csv(path, index=False)
    table = read_table(path, Writing(), "y")
    check(table)
    assert table.frame.equals(read_table(path, Writing(), "y").frame)


def test_a_parquet_file(tmp_path: Path) -> None:
    frame().to_parquet(tmp_path / "t.parquet")
    check(read_table(tmp_path / "t.parquet", Writing(), "y"))


def test_a_quoted_text_of_two_lines_is_one_record(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    rows = "".join(f'{i},"a\nb, ""c""",{i % 2}\n' for i in range(N))
    path.write_text("number,text,y\n" + rows)
    table = read_table(path, Writing(), "y")
    assert set(table.frame["text"]) == {'a\nb, "c"'}
    assert 1_000 < len(table.frame) < N / 2


def test_a_small_file_is_read_as_it_is(tmp_path: Path) -> None:
    for content in (b"a,y\n1,2\n", gzip.compress(b"a,y\n1,2\n", mtime=0)):
        (tmp_path / "t.csv").write_bytes(content)
        sampled = read_text(tmp_path / "t.csv")
        assert (sampled.content, sampled.notice) == (content, None)


def test_two_bytes_a_character_are_refused(tmp_path: Path) -> None:
    frame().to_csv(tmp_path / "t.csv", index=False, encoding="utf-16")
    with pytest.raises(DataError, match="save the table as UTF-8"):
        read_table(tmp_path / "t.csv", Writing(), "y")
