"""The Python API: its members, and the example of its page."""

import inspect
import re
from pathlib import Path

import pytest
from ounce_exporters import api
from ounce_exporters.tasks.table import recipes as table

from tests.exporters.own.foreign import rooms

LIGHT = {"decision-tree", "logistic-regression"}
RECIPES = table.recipes
PAGE = Path(__file__).parents[2] / "docs" / "own-models.md"


def test_the_members_are_these() -> None:
    assert api.__all__ == [
        "Explanation",
        "Ladder",
        "Outputs",
        "Rows",
        "TableOptions",
        "add_model",
        "explain",
        "read_ladder",
        "train_table",
    ]


@pytest.mark.parametrize("name", api.__all__)
def test_every_member_says_what_it_is(name: str) -> None:
    member = getattr(api, name)
    text = inspect.getdoc(member) or ""
    assert len(text) > 20
    if inspect.isfunction(member):
        assert all(f"{argument}:" in text for argument in inspect.signature(member).parameters)
        assert "Raises:" in text


def test_the_example_of_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        table, "recipes", lambda data: [r for r in RECIPES(data) if r.name in LIGHT]
    )
    rooms().drop(columns="watts").to_csv("rooms.csv", index=False)
    rooms(400, seed=9).to_csv("earlier.csv", index=False)
    (example,) = re.findall(r"```python\n(.+?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(example, str(PAGE), "exec"), {"__name__": "example"})
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines[:-1]} == {"mine", *LIGHT}
    assert lines[-1].endswith("lightest-feasible")
