"""Misspelt names are found, and what names are made for it costs little."""

import difflib
import random
from collections import Counter
from typing import Any

import pytest
from ounce_edge.wire.formats.columns import ColumnReader
from ounce_edge.wire.formats.near_names import NearNames
from ounce_schemas.cells import Cell
from ounce_schemas.errors import Reason
from ounce_schemas.task import TaskSpec, TensorSpec

COLUMNS = ("Temperature", "Relative Humidity", "sensor_1", "sensor_2", "Größe", "CO2")


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["Temprature"], ("Temprature", "Temperature")),
        (["battery", "relativ-humidity"], ("relativ-humidity", "Relative Humidity")),
        (["SENSOR 22"], ("SENSOR 22", "sensor_2")),
        (["groeße", "GRÖSSE"], ("GRÖSSE", "Größe")),
        (["erutarepmeT", "CO", "", "___", "x" * 10_000, "\ud800"], None),
        ([], None),
    ],
)
def test_a_name_is_nearly_that_of_an_absent_column(
    names: list[str], found: tuple[str, str] | None
) -> None:
    assert NearNames(COLUMNS).find(names, set(COLUMNS)) == found
    assert NearNames(COLUMNS).find(names, {"CO2"}) is None
    assert NearNames(()).find(names, set()) is None


def test_the_most_alike_column_is_named() -> None:
    columns = [f"hall_{i}_temperature" for i in range(100, 115)]
    assert NearNames(columns).find(["hall_107_temperatur"], set(columns)) == (
        "hall_107_temperatur", "hall_107_temperature",
    )  # fmt: skip


def test_names_that_are_made_to_be_compared_are_compared_a_few_times(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng, calls = random.Random(0), Counter[str]()
    columns = tuple("".join(rng.choices("abcdefgh", k=60)) for _ in range(300))
    spec = TensorSpec(
        name="input", datatype="FP32", shape=(300,), columns=columns, allow_missing=True,
        cells=tuple(Cell(column=name, read="number") for name in columns),
    )  # fmt: skip
    task = TaskSpec(
        name="wide", kind="classification", description="Wide", inputs=(spec,), labels=("a", "b")
    )
    reader = ColumnReader(task)
    for step in ("set_seq2", "real_quick_ratio", "quick_ratio", "ratio"):
        own = getattr(difflib.SequenceMatcher, step)

        def counted(self: Any, *given: str, step: str = step, own: Any = own) -> Any:
            calls[step] += 1
            return own(self, *given)

        monkeypatch.setattr(difflib.SequenceMatcher, step, counted)
    # Each has a column's letters in another order.
    names = ["".join(rng.sample(rng.choice(columns), 60)) for _ in range(100)]
    layout = reader.layout(names)
    assert layout.wrong is not None
    assert layout.wrong[0] is Reason.MISSING_INPUT
    assert calls.total() <= 150, calls
