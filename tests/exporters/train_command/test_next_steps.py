"""Training ends with commands that a person can copy, and they are understood."""

import json
import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from ounce_edge.wire.records import Columns
from ounce_edge.wire.requests.decoding import Decoder
from ounce_exporters.export.example import example_request
from ounce_exporters.train_command.next_steps import next_steps
from ounce_schemas.policy import Policy
from ounce_schemas.task import TaskSpec

from tests.support.edge.formats import PUMP, ROOM
from tests.support.edge.ladders import DIGITS, FakeRecord

NAN = np.nan


def data(task: TaskSpec, **inputs: Any) -> Any:
    return SimpleNamespace(spec=task, test=SimpleNamespace(inputs=inputs))


@pytest.mark.parametrize("values", [[21.5, 26.3, 321.25], [21.5, NAN, -0.5]])
def test_the_row_of_a_table_is_the_same_item(values: list[float]) -> None:
    found = data(ROOM, input=np.array([values], np.float32))
    [line] = [line for line in next_steps(found, Path("models")) if "ounce ask" in line]
    words = shlex.split(line)
    assert words[:4] == ["ounce", "ask", "room", "--data"]
    assert words[-1] == "--local"
    assert json.loads(words[4])["CO2"] == pytest.approx(values[2] + 400)
    record = FakeRecord(words[4].encode())
    batch, rejected = Decoder(ROOM, Policy().for_task("room")).decode(Columns.of([record]), 1e6)
    assert rejected == []
    np.testing.assert_array_equal(batch.inputs["input"], np.array([values], np.float32))


def test_other_tasks_name_the_file() -> None:
    found = data(DIGITS, input=np.array([[1, 2, 3, 4]], np.float32))
    [line] = [line for line in next_steps(found, Path("m")) if "ounce ask" in line]
    assert line.strip() == (
        "ounce ask digits --file m/digits/example-request.json --local --models m"
    )
    dates = {"input": np.array([[3, 17]], np.float32), "categories": np.array([["True"]], object)}
    assert example_request(PUMP, data(PUMP, **dates).test).row is None


def test_a_folder_with_blanks_and_quotes_is_one_word_of_each_command() -> None:
    folder = Path("my models/it's $HOME")
    found = data(DIGITS, input=np.array([[1, 2, 3, 4]], np.float32))
    commands = [line.strip() for line in next_steps(found, folder) if "--models" in line]
    assert len(commands) == 3
    for command in commands:
        words = shlex.split(command)
        assert words[words.index("--models") + 1] == str(folder)
    [ask] = [shlex.split(line) for line in commands if " ask " in line]
    assert Path(ask[ask.index("--file") + 1]).parent == folder / "digits"
