"""Results have one form; a command says how it can be run again, and where results go."""

import math
import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from benchmarks import results
from benchmarks.results import PUBLISHED, Results, ResultsError, Table

TABLE = Table(["rule", "share"], [["a", 0.5], ["b", None]], "of all")


def made(**changes: object) -> Results:
    fields = {
        "benchmark": "some_name",
        "command": "python -m benchmarks.some",
        "measured_at": "2026-01-31",
        "machine": "2 cores",
        "tables": {"rules": TABLE},
    }
    return Results(**{**fields, **changes})  # type: ignore[arg-type]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = results.write(made(), tmp_path / "new")
    assert path == tmp_path / "new" / "some_name.json"
    assert results.read(path) == made()
    assert [p.name for p in path.parent.iterdir()] == ["some_name.json"]


@pytest.mark.parametrize("changes", [{"measured_at": "yesterday"}, {"benchmark": "../some"}])
def test_another_form_is_not_written(tmp_path: Path, changes: dict[str, str]) -> None:
    with pytest.raises(ResultsError, match=next(iter(changes))):
        results.write(made(**changes), tmp_path)
    assert not list(tmp_path.glob("*.json"))


def test_what_has_no_value_is_written_as_null(tmp_path: Path) -> None:
    path = results.write(made(tables={"t": Table(["a"], [[math.nan]])}), tmp_path)
    assert results.read(path).tables["t"].rows == [[None]]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("{}", "missing required field"),
        ('{"benchmark": "x", "more": 1}', "more"),
        (
            '{"benchmark": "x", "command": "c", "measured_at": "2026-01-31", "machine": "m",'
            ' "tables": {"t": {"columns": ["a"], "rows": [[1, 2]], "note": null}}}',
            "a row of 2 cells under 1 columns",
        ),
    ],
)
def test_another_form_is_not_read(tmp_path: Path, text: str, wrong: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(ResultsError, match=wrong) as raised:
        results.read(path)
    assert str(path) in str(raised.value)


def test_a_file_has_the_name_of_its_benchmark(tmp_path: Path) -> None:
    path = results.write(made(), tmp_path).rename(tmp_path / "other.json")
    with pytest.raises(ResultsError, match="some_name"):
        results.read(path)


def test_a_short_run_writes_elsewhere_and_names_its_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @click.command()
    @click.option("--rounds", default=5)
    @click.option("--only", multiple=True)
    @click.option("--seconds", default=1.0)
    @click.option("--models", default="models")
    @results.publish_option
    def measure(rounds: int, only: tuple[str, ...], seconds: float, models: str, publish: bool):
        results.report("some_name", {"rules": TABLE}, publish=publish)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(results, "PUBLISHED", tmp_path / "published")
    options = ["--rounds", "1", "--only=a", "--only=b", "--models=/home/me"]
    for more, folder in (([], "results"), (["--publish"], "published")):
        result = CliRunner().invoke(measure, [*options, *more])
        assert result.exit_code == 0, result.output
        found = results.read(tmp_path / folder / "some_name.json")
        assert found.command.endswith(" --rounds 1 --only a --only b")
        assert found.tables == {"rules": TABLE}
        assert "cores, " in found.machine


def test_a_table_that_was_shown_is_written_again_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with click.Context(click.Command("measure")):
        tables = {"rules": TABLE, "more": TABLE}
        path = results.report("some_name", tables, publish=False, shown=["rules"])
    assert results.read(tmp_path / path).tables == tables
    told = capsys.readouterr().out
    assert "more\n" in told
    assert "rules\n" not in told


def test_tables_are_shown_once() -> None:
    root = PUBLISHED.parents[1]
    shown_twice = [
        path.relative_to(root)
        for folder in ("benchmarks", "trials")
        for path in (root / folder).rglob("*.py")
        if {"results.text(", "published.text("} & set(re.findall(r"\w+\.text\(", path.read_text()))
    ]
    assert shown_twice == []


def test_all_that_is_published_has_the_form(tmp_path: Path) -> None:
    for path in PUBLISHED.glob("*.json"):
        assert results.write(results.read(path), tmp_path).read_bytes() == path.read_bytes()


def test_a_row_stands_on_one_line(tmp_path: Path) -> None:
    row: list[results.Cell] = ['says "[1,\n 2]"', "\\", -1.5e-9, None, 7]
    found = made(tables={"odd": Table(["a, b", "]", "c", "d", "e"], [row, row])})
    lines = results.write(found, tmp_path).read_text().splitlines()
    assert len([line for line in lines if line.strip().startswith(r'["says \"[1,\n')]) == 2
    assert results.read(tmp_path / "some_name.json") == found
