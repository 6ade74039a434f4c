"""Tables with odd traits: what is read otherwise than a person may think is said, or refused."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ounce_exporters.tasks.table.columns import choose_columns
from ounce_exporters.tasks.table.options import Writing
from ounce_exporters.tasks.table.reading import Table, read_table
from ounce_exporters.tasks.table.totals import drop_totals
from ounce_schemas.errors import DataError

from tests.exporters.tasks.table.tables import frame

RNG = np.random.default_rng(3)
N = 60
SALES = RNG.uniform(10, 1000, N).round(2)
SHARES = RNG.uniform(0, 1, N).round(3)
REGIONS = [f"r{i % 5}" for i in range(N)]


def read(path: Path, content: str | bytes, target: str = "y") -> Table:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_table(path, Writing(), target)


def said(notices: Sequence[str], about: str) -> str:
    [line] = [line for line in notices if about in line]
    return line


@pytest.mark.parametrize("word", ["Total", "GRAND TOTAL:", "Summe", "Gesamt", "Average"])
def test_a_last_row_that_is_called_a_total_is_left_out(tmp_path: Path, word: str) -> None:
    rows = "".join(f"{r},{s},{v}\n" for r, s, v in zip(REGIONS, SHARES, SALES, strict=True))
    last = f"{word},,{SALES.mean() if word == 'Average' else SALES.sum():.1f}"
    table = read(tmp_path / "t.csv", f"region,share,y\n{rows}{last}\n")
    assert len(table.frame) == N
    assert said(table.notices, "left out") == f"row {N + 1} is left out: it is called {word!r}"


def test_sums_and_means_are_both_left_out() -> None:
    rows = [[r, str(s), str(v)] for r, s, v in zip(REGIONS, SHARES, SALES, strict=True)]
    last = [["Sum", "", f"{SALES.sum():.2f}"], ["Mean", f"{SHARES.mean():.3f}", ""]]
    kept, lines = drop_totals(pd.DataFrame([*rows, *last], columns=["region", "share", "y"]))
    assert (len(kept), len(lines)) == (N, 2)


@pytest.mark.parametrize("remark", [[], [["Source: office", "", ""]]])
def test_a_last_row_of_sums_is_left_out(remark: list[list[str]]) -> None:
    rows = [[r, str(s), str(v)] for r, s, v in zip(REGIONS, SHARES, SALES, strict=True)]
    total = ["", f"{SHARES.sum():.2f}", f"{SALES.sum():.0f}"]
    table = pd.DataFrame([*rows, total, *remark], columns=["region", "share", "y"])
    kept, lines = drop_totals(table)
    assert lines == [f"row {N + 1} is left out: it holds the sums of the rows above"]
    assert kept["y"].to_list()[:N] == [row[2] for row in rows]
    assert len(kept) == N + len(remark)
    numbers = pd.DataFrame({"share": [*SHARES, SHARES.sum()], "y": [*SALES, SALES.sum()]})
    assert len(drop_totals(numbers)[0]) == N


@pytest.mark.parametrize(
    "last",
    [
        ["r1", "0.5", "500.0"],
        ["r1", str(SHARES.sum()), "500.0"],
        ["r1", "", str(SALES.sum())],
        ["r1", "0", "0"],
        ["", "", ""],
        ["totally", "0.5", "500.0"],
    ],
)
def test_other_last_rows_stay(last: list[str]) -> None:
    rows = [[r, str(s), str(v)] for r, s, v in zip(REGIONS, SHARES, SALES, strict=True)]
    table = pd.DataFrame([*rows, last], columns=["region", "share", "y"])
    assert drop_totals(table) == (table, [])


@pytest.mark.parametrize(
    ("columns", "word"),
    [
        ({"y": ["good", "poor"] * 24 + ["Average"]}, "Average"),
        ({"name": [*map(str, range(48)), "sum"], "kind": ["noun"] * 49}, "sum"),
        ({"name": [*"abcdefgh" * 6, "mean"], "year": [2024.0] * 49}, "mean"),
    ],
)
def test_a_record_that_is_called_as_a_total_stays_and_that_is_said(
    columns: dict[str, list[str] | list[float]], word: str
) -> None:
    table = frame(x=SALES[:49], **columns)
    kept, [line] = drop_totals(table)
    assert kept is table
    assert line.startswith(f"row 49 is called {word!r} and kept")


@pytest.mark.parametrize(
    "numbers",
    [
        [2.0**i for i in range(20)],  # each but for 2 the sum of those before
        [0.0] * 40 + [1.0, 0.0, 1.0],  # one failure, and another
        [1.0, 2.0, 3.0],
        [7.0, 7.0],
    ],
)
def test_a_record_that_is_a_sum_by_chance_stays(numbers: list[float]) -> None:
    table = frame(x=np.array(numbers), z=3 * np.array(numbers))
    assert drop_totals(table) == (table, [])


def test_a_total_that_stands_in_other_rows_is_a_category() -> None:
    table = frame(kind=["total", "part"] * 30 + ["total"], v=np.arange(61.0))
    assert drop_totals(table) == (table, [])


def test_utf_8_with_a_few_other_bytes_is_refused(tmp_path: Path) -> None:
    good = "".join(f"München,{v}\n" for v in SALES).encode()
    with pytest.raises(DataError, match=r"UTF-8 but for 1 byte, the first in line 62: .*latin-1"):
        read(tmp_path / "t.csv", b"city,y\n" + good + "Köln,5\n".encode("latin-1"))
    latin = read(tmp_path / "l.csv", b"city,y\n" + good.decode().encode("latin-1"))
    assert set(latin.frame["city"]) == {"München"}


def test_invisible_characters_around_names_are_taken_off(tmp_path: Path) -> None:
    rows = "".join(f"{s},{v}\n" for s, v in zip(SHARES, SALES, strict=True))
    table = read(tmp_path / "t.csv", "\u200bv,y\u00ad \n" + rows)
    assert list(table.frame) == ["v", "y"]
    assert said(table.notices, "invisible").endswith("are taken off: v, y")
    family = "👩\u200d👩\u200d👧"
    assert list(read(tmp_path / "f.csv", f"{family},y\n{rows}").frame) == [family, "y"]


def test_a_nested_target_is_named_with_its_type(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"v": SALES, "y": [{"p": 1}] * N}), path)
    with pytest.raises(DataError, match=r"target 'y' holds values of type struct<p: int64>"):
        read_table(path, Writing(), "y")


def notices(**columns: object) -> tuple[str, ...]:
    return choose_columns(frame(w=SHARES, y=["a", "b"] * (N // 2), **columns), "y").notices


def test_numbers_of_different_units_are_named() -> None:
    mixed = [f"{v} {'kg' if i % 2 else 'g'}" for i, v in enumerate(SALES)]
    assert said(notices(v=mixed), "'v'").startswith(
        "column 'v' is left out: every row has another text, as an identifier has; its numbers "
        "have different units ('g', 'kg'): write them in one"
    )
    few = [f"{i % 25}{'K' if i % 2 else 'M'}" for i in range(N)]
    assert said(notices(v=few), "'v'").startswith("column 'v' is read as texts; its numbers")
    cabins = [f"{i % 25}{'ABCDEF'[i % 6]}" for i in range(N)]
    assert "units" not in " ".join(notices(v=cabins))


def test_a_unit_that_some_rows_lack_is_said() -> None:
    share = [f"{v}{'%' if i % 3 else ''}" for i, v in enumerate(SHARES)]
    assert said(notices(v=share), "'v'") == (
        "column 'v' is a number with the unit '%', which 20 rows do not have"
    )
    assert said(notices(v=[f"{v} kg" for v in SALES]), "'v'").endswith("with the unit 'kg'")


def test_texts_that_differ_in_capital_letters_alone_are_named() -> None:
    flags = ["TRUE", "false", "True"] * (N // 3)
    assert said(notices(v=flags), "'v'") == (
        "texts of column 'v' differ in capital letters alone: 'TRUE', 'True'; each is one of its "
        "own"
    )
    assert notices(v=["yes", "no"] * (N // 2)) == ()


def test_codes_that_look_like_powers_are_named() -> None:
    codes = [f"{1 + i % 9}E{i % 7}" for i in range(N)]
    assert "if they are codes, say --columns 'v=category'" in said(notices(v=codes), "'v'")
    assert notices(v=[f"{v:.3e}" for v in SALES]) == ()


def test_numbers_beside_many_other_texts_are_named() -> None:
    values = [
        "n.d." if i % 5 == 0 else "k.A." if i % 5 == 1 else str(v) for i, v in enumerate(SALES)
    ]
    line = said(notices(v=values), "'v'")
    assert line.startswith("column 'v' is read as texts, though ")
    assert line.endswith("with --columns 'v=number' the others ('n.d.', 'k.A.') are gaps")
    ages = [["18", "19", "20", "21+"][i % 4] for i in range(N)]
    assert notices(v=ages) == ()
    left = said(notices(v=[f"id{i}" for i in range(N)]), "'v'")
    assert left.endswith("every row has another text, as an identifier has")


@pytest.mark.parametrize("blank", [" ", "\u00a0", "\u202f", "'"])
def test_a_blank_may_stand_between_thousands(blank: str) -> None:
    whole = (SALES * 1000).round(1)
    written = [f"{v:,.1f}".replace(",", blank).replace(".", ",") for v in whole]
    columns = choose_columns(frame(v=written, y=["a", "b"] * (N // 2)), "y")
    np.testing.assert_allclose(columns.inputs[0].values, whole, rtol=1e-6)
    assert columns.inputs[0].cell.decimal == ","
    assert said(columns.notices, "blank") == (
        "a blank or an apostrophe stands between thousands of the numbers 'v'"
    )


@pytest.mark.parametrize(
    ("above", "names", "line"),
    [
        ([",,,,state"], ["column 1", "column 2", "column 3", "column 4", "state"], 1),
        (["Site,,Sensor,,Outcome", "site,hall,kind,part,state"], None, 2),
        (["Report,,,,", "site,hall,kind,part,state"], None, 2),
    ],
)
def test_the_header_is_the_line_that_names_the_target(
    tmp_path: Path, above: list[str], names: list[str] | None, line: int
) -> None:
    rows = [f"north,h{i % 3},k{i % 4},{i / 8},{'ab'[i % 2]}" for i in range(40)]
    path = tmp_path / "sheet.csv"
    path.write_text("\n".join([*above, *rows]))
    table = read_table(path, Writing(), "state")
    assert table.notices[0].endswith(f"header in line {line}")
    assert list(table.frame) == (names or ["site", "hall", "kind", "part", "state"])
    assert len(table.frame) == 40


def test_a_value_that_is_given_as_target_makes_no_header_of_its_row(tmp_path: Path) -> None:
    path = tmp_path / "sheet.csv"
    path.write_text("temp,state\n" + "".join(f"{i},{('ok', 'bad')[i % 2]}\n" for i in range(40)))
    assert list(read_table(path, Writing(), "ok").frame) == ["temp", "state"]


def test_fewer_names_than_values_are_told_though_the_header_looks_like_a_title(
    tmp_path: Path,
) -> None:
    path = tmp_path / "sheet.csv"
    path.write_text("temp,load,state\n" + "".join(f"2,{i},5,{i},a\n" for i in range(40)))
    with pytest.raises(DataError, match="line 1, the header, has 3 names, and line 2 has 5 values"):
        read_table(path, Writing(), "state")


@pytest.mark.parametrize(
    ("magic", "what"),
    [
        (b"PAR1\x15\x04", " but a Parquet file: name it .parquet"),
        (
            b"PK\x03\x04\x00",
            r" but a spreadsheet \(.xlsx, .ods\): save the sheet as",
        ),
        (b"\xd0\xcf\x11\xe0\x00", r" but a spreadsheet \(.xls\)"),
        (b"\x7fELF\x00", ": it holds bytes that no text has"),
    ],
)
def test_other_files_that_are_called_csv_are_named(tmp_path: Path, magic: bytes, what: str) -> None:
    path = tmp_path / "sheet.csv"
    path.write_bytes(magic * 30)
    with pytest.raises(DataError, match=f"not a text file{what}"):
        read_table(path, Writing(), "state")
