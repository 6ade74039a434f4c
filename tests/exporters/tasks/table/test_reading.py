"""Text files as people have them: read right and said, or an error that names the option."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from ounce_exporters.tasks.table.options import Writing, read_column_kinds, read_separator
from ounce_exporters.tasks.table.reading import Table, read_table
from ounce_schemas.errors import DataError

HEADER = ["temp", "place", "y"]
N = 30


def rows(separator: str = ",", decimal: str = ".") -> list[str]:
    """Lines of a number, a text and a class."""
    places = ("Oslo", "Paris", "São")
    return [
        separator.join([f"{20 + i / 8:.3f}".replace(".", decimal), places[i % 3], "ab"[i % 2]])
        for i in range(N)
    ]


def read(
    folder: Path, content: str | bytes, target: str = "y", *, name: str = "t.csv", **writing: object
) -> Table:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_table(path, Writing(**writing), target)  # type: ignore[arg-type]


def text(lines: list[str], header: str = ",".join(HEADER)) -> str:
    return "\n".join([header, *lines]) + "\n"


PLAIN = text(rows())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (PLAIN, "',' separated, UTF-8, header in line 1"),
        (text(rows(";", ","), "temp;place;y"), "';' separated, UTF-8, header in line 1"),
        (text(rows("\t"), "temp\tplace\ty"), "tab separated, UTF-8, header in line 1"),
        (text(rows("|"), "temp|place|y"), "'|' separated, UTF-8, header in line 1"),
        (text(rows(" "), "temp place y"), "blank separated, UTF-8, header in line 1"),
        (PLAIN.replace(",", ", "), "',' separated, UTF-8, header in line 1"),
        (PLAIN.encode("utf-8-sig"), "',' separated, UTF-8 with a byte order mark, header"),
        (PLAIN.encode("latin-1"), "',' separated, Latin-1, header"),
        (PLAIN.replace("Paris", "100 €").encode("cp1252"), "',' separated, Windows-1252, header"),
        (PLAIN.encode("utf-16"), "',' separated, UTF-16, header"),
        (PLAIN.encode("utf-16-le"), "',' separated, UTF-16, header"),
        (gzip.compress(PLAIN.encode(), mtime=0), "',' separated, UTF-8, gzip, header in line 1"),
        (PLAIN.replace("\n", "\r\n"), "',' separated, UTF-8, header in line 1"),
        ("# device 17\n# firmware 2\n" + PLAIN, "',' separated, UTF-8, header in line 3"),
        ("Report of pump 17\n\nmade,today\n\n" + PLAIN, "',' separated, UTF-8, header in line 5"),
        ("Pump 17,,\nMay,,\n,,\n" + PLAIN, "',' separated, UTF-8, header in line 4"),
        (PLAIN.partition("\n")[2], None),
    ],
)
def test_how_a_file_is_written_is_found_out_and_said(
    content: str | bytes, said: str | None, tmp_path: Path
) -> None:
    table = read(tmp_path, content, "y" if said else "2")
    said = said or "',' separated, UTF-8, no header, columns named 0 to 2"
    assert table.notices[0].startswith(f"read as: {said}")
    assert list(table.frame) == (["0", "1", "2"] if "no header" in said else HEADER)
    assert len(table.frame) == N
    assert table.frame.iloc[8].tolist()[0].replace(",", ".") == "21.000"
    assert table.frame.iloc[2].tolist()[1:] == ["São", "a"]


def test_a_file_without_a_suffix_is_read_as_text(tmp_path: Path) -> None:
    assert list(read(tmp_path, PLAIN, name="Rooms").frame) == HEADER


def test_a_separator_inside_of_cells_is_not_taken_for_the_one_between_them(tmp_path: Path) -> None:
    tags = [line.replace("Oslo", "a;b;c").replace("Paris", "d;e;f") for line in rows()]
    assert list(read(tmp_path, text(tags)).frame) == HEADER
    euros = [line.replace("Oslo", "€ 1.234,50") for line in rows(";", ",")]
    assert list(read(tmp_path, text(euros, "temp;place;y")).frame) == HEADER


def test_rows_that_end_with_a_comma_do_not_slip(tmp_path: Path) -> None:
    table = read(tmp_path, text([f"{line}," for line in rows()]))
    assert table.frame["y"].tolist() == ["a", "b"] * (N // 2)
    assert table.notices[1] == "every row ends with a separator: the empty last column is left out"
    both = read(tmp_path, text([f"{line}," for line in rows()], "temp,place,y,"))
    assert list(both.frame) == HEADER


def test_row_labels_without_a_name_are_left_out(tmp_path: Path) -> None:
    table = read(tmp_path, text([f'"{i}",{line}' for i, line in enumerate(rows())]))
    assert list(table.frame) == HEADER
    assert "the first column is left out: it has no name in the header" in table.notices[1]
    named = read(tmp_path, text([f"{i},{line}" for i, line in enumerate(rows())], ",temp,place,y"))
    assert list(named.frame) == ["column 1", *HEADER]


def test_decimal_commas_without_quotes_are_not_taken_for_row_labels(tmp_path: Path) -> None:
    lines = [f"{7 * i},{i},Oslo,a" for i in range(N)]  # 0,0 then 7,1 then 14,2
    with pytest.raises(DataError, match="has 3 names, and line 2 has 4 values"):
        read(tmp_path, text(lines))


def test_quoted_cells_may_hold_lines_and_separators(tmp_path: Path) -> None:
    lines = [line.replace("Oslo", '"by\nshift, A"') for line in rows()]
    assert read(tmp_path, text(lines)).frame["place"][3] == "by\nshift, A"


def test_cells_stand_as_in_the_file(tmp_path: Path) -> None:
    cells = ["NA", "None", "TRUE", "true", "007", "1,5", "nan", ""]
    lines = [f'{i},"{cell}",a' for i, cell in enumerate(cells)]
    assert read(tmp_path, text(lines)).frame["place"].tolist() == cells


def test_a_few_short_rows_are_left_out_with_a_notice(tmp_path: Path) -> None:
    table = read(tmp_path, text([*rows(), "30 rows"]))
    assert len(table.frame) == N
    assert table.notices[1].endswith("left out: 1 of them, the first in line 32")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (text(rows(), "temp,y,y"), "column names repeat: 'y'"),
        (text([*rows(), "1,a,b,c"]), "line 32 has 4 values where the table has 3 columns: .*--sep"),
        (text([*rows()[:20], *["1,2"] * 10]), "10 of 30 rows have fewer than 3 values.* line 22"),
        (text(rows(",", ",")), "line 1, the header, has 3 names, and line 2 has 4 values: .*--sep"),
        (bytes(range(128, 256)), "not a text file in cp1252.*--encoding"),
        (b"\x89PNG\x00\x01" * 20, "not a text file"),
        (gzip.compress(PLAIN.encode(), mtime=0)[:90], "not a whole gzip file"),
        ("a;b|c\n" + "1;2|3\n" * N, "both divide the rows equally: name one with --sep"),
        ("2,3,1\n" + "4,5,0\n" * N, "--header or --no-header"),
    ],
)
def test_what_can_be_read_in_two_ways_names_the_option(
    content: str | bytes, message: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path, content, "2" if "header or" in message else "y")


def test_options_come_before_what_is_found(tmp_path: Path) -> None:
    numbers = "2,3,1\n" + "4,5,0\n" * N
    assert len(read(tmp_path, numbers, "2", header=False).frame) == N + 1
    assert list(read(tmp_path, numbers, "2", header=True).frame) == ["2", "3", "1"]
    assert list(read(tmp_path, "a,b,c\n" + PLAIN, skip=1).frame) == HEADER
    greek = text([line.replace("São", "Αθήνα") for line in rows()]).encode("iso8859-7")
    assert read(tmp_path, greek, encoding="iso8859-7").frame["place"][2] == "Αθήνα"
    both = "a;b|c\n" + "1;2|3\n" * N
    assert list(read(tmp_path, both, separator=";").frame) == ["a", "b|c"]
    with pytest.raises(DataError, match="--encoding 'latin-99': no such encoding"):
        read(tmp_path, PLAIN, encoding="latin-99")


def test_every_name_of_a_compressed_file_will_do(tmp_path: Path) -> None:
    packed = gzip.compress(PLAIN.encode(), mtime=0)
    assert len(read(tmp_path, packed, name="t.tsv.gz").frame) == N
    with pytest.raises(DataError, match=r"unknown kind of file '\.xlsx'"):
        read(tmp_path, packed, name="t.xlsx")


def test_typed_options_are_read() -> None:
    assert [read_separator(t) for t in (None, "tab", "\\t", ";", "space")] == [
        None, "\t", "\t", ";", " "]  # fmt: skip
    with pytest.raises(DataError, match="--sep ';;': give one character"):
        read_separator(";;")
    assert read_column_kinds(["a=b=number", "at=date:%d/%m/%Y"]) == {
        "a=b": "number",
        "at": "date:%d/%m/%Y",
    }
    with pytest.raises(DataError, match="--columns 'code=colour': give NAME=KIND"):
        read_column_kinds(["code=colour"])
    with pytest.raises(DataError, match="names 'a' twice"):
        read_column_kinds(["a=number", "a=text"])


def test_a_long_table_is_read_whole(tmp_path: Path) -> None:
    """Longer than the sample that is looked at, with Latin-1 only at its end."""
    n = 60_000
    body = "".join(f"{i % 97}.25,some place,{'ab'[i % 2]}\n" for i in range(n))
    table = read(tmp_path, f"temp,place,y\n{body}1,Sã,a\n".encode("latin-1"))
    assert len(table.frame) == n + 1
    assert table.frame["place"].iloc[-1] == "Sã"
    assert np.unique(table.frame["y"]).tolist() == ["a", "b"]


CELL = st.text(st.sampled_from("ab7 ,;|\t\"'#é."), max_size=6).map(str.strip)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    cells=st.lists(st.tuples(CELL, CELL), min_size=20, max_size=20),
    separator=st.sampled_from(",;\t|"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "latin-1"]),
)
def test_every_cell_that_is_written_is_read_back_or_the_separator_is_asked_for(
    cells: list[tuple[str, str]], separator: str, encoding: str, tmp_path: Path
) -> None:
    for column in zip(*cells, strict=True):  # whole columns in single quotes lose them
        texts = [cell for cell in column if cell]
        assume(not texts or any(not text.startswith("'") for text in texts))
    table = pd.DataFrame(cells, columns=["a", "b"], dtype=str)
    table.insert(0, "n", [f"{i}.5" for i in range(20)])
    table["y"] = ["ok", "fail"] * 10
    content = table.to_csv(index=False, sep=separator).encode(encoding)
    try:
        found = read(tmp_path, content).frame
    except DataError as e:
        if "--sep" not in str(e):
            raise
        found = read(tmp_path, content, separator=separator).frame
    assert found.to_numpy().tolist() == table.to_numpy().tolist()


def test_single_quotes_around_all_cells_of_a_column_are_taken_off(tmp_path: Path) -> None:
    rows = [f"'{i}.5','it''s','{'ok' if i % 2 else ''}',{i}" for i in range(50)]
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["'a','b','c','d'", *rows]))
    table = read_table(path, Writing(), "c")
    assert list(table.frame) == ["a", "b", "c", "d"]
    assert table.frame["a"].tolist()[:2] == ["0.5", "1.5"]
    assert set(table.frame["c"]) == {"ok", ""}
    assert "the quotes ' around the cells are taken off: a, b, c" in table.notices


def test_a_first_row_with_gaps_is_no_title(tmp_path: Path) -> None:
    table = read(tmp_path, "Oslo,,\n" + "\n".join(rows()), "2", header=False)
    assert len(table.frame) == N + 1
