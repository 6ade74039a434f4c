"""Tables of measurements are made from results."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from benchmarks.tables import main

TABLE = {"columns": ["rule", "µs", "note"], "rows": [["a|b", 1234, "x"], ["c", 0.5, None]]}
BLOCK = "Before.\n\n<!-- table: cost -->\n{}<!-- end -->\n\nAfter.\n"
RENDERED = """
| rule | µs | note |
| :--- | ---: | :--- |
| a\\|b | 1,234 | x |
| c | 0.5 |  |

Measured with `make it` on 2026-11-28, 2 cores.

"""


def results(folder: Path, name: str = "bench", **tables: Any) -> None:
    document = {
        "benchmark": name,
        "command": "make it",
        "measured_at": "2026-11-28",
        "machine": "2 cores",
        "tables": tables,
    }
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(document))


def run(tmp_path: Path, *options: str) -> Result:
    places = [f"--results={tmp_path / 'results'}", f"--pages={tmp_path / 'pages'}"]
    return CliRunner().invoke(main, [*places, *options])


@pytest.fixture
def page(tmp_path: Path) -> Path:
    results(tmp_path / "results", cost=TABLE)
    path = tmp_path / "pages" / "measured" / "speed.md"
    path.parent.mkdir(parents=True)
    path.write_text(BLOCK.format("| what was typed |\n"))
    return path


def test_the_pages_hold_what_was_measured() -> None:
    result = CliRunner().invoke(main, ["--check"])
    assert result.exit_code == 0, result.output


def test_a_block_is_replaced_and_then_right(tmp_path: Path, page: Path) -> None:
    assert run(tmp_path).exit_code == 0
    assert page.read_text() == BLOCK.format(RENDERED)
    assert run(tmp_path, "--check").exit_code == 0


def test_a_difference_is_told_and_nothing_written(tmp_path: Path, page: Path) -> None:
    result = run(tmp_path, "--check")
    assert result.exit_code == 1
    assert f"{page}: differs from the results" in result.output
    assert "what was typed" in page.read_text()


def test_a_block_without_results_is_named(tmp_path: Path, page: Path) -> None:
    page.write_text(BLOCK.format("").replace("cost", "price"))
    result = run(tmp_path, "--check")
    assert result.exit_code == 1
    assert "no results hold a table 'price'; there are cost" in result.output


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ({"columns": ["a", "b"], "rows": [["1"]]}, "a row of 1 cells under 2 columns"),
        ({"columns": ["a"], "rows": [], "source": "b"}, "unknown field `source`"),
    ],
)
def test_results_of_another_form_are_refused(
    tmp_path: Path, page: Path, table: dict[str, Any], text: str
) -> None:
    results(tmp_path / "results", cost=table)
    result = run(tmp_path)
    assert result.exit_code == 1
    assert text in result.output


def test_one_name_stands_for_one_table(tmp_path: Path, page: Path) -> None:
    results(tmp_path / "results", "other", cost=TABLE)
    result = run(tmp_path)
    assert result.exit_code == 1
    assert "table 'cost' is in another file as well" in result.output
