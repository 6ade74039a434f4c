"""Misspelt names are found, and what names are made for it costs little."""

import random
from collections.abc import Collection, Sequence
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ounce_edge.wire.formats import near_names
from ounce_edge.wire.formats.columns import ColumnReader
from ounce_edge.wire.formats.near_names import NearNames
from ounce_schemas.cells import Cell
from ounce_schemas.errors import Reason
from ounce_schemas.task import TaskSpec, TensorSpec

from tests.support.edge.formats import as_bytes, decode
from tests.support.edge.ladders import FakeRecord

COLUMNS = ("Temperature", "Relative Humidity", "sensor_1", "sensor_2", "Größe", "CO2")

ROOM = ("Temperature", "Humidity", "Light", "CO2", "HumidityRatio")
BIKES = (
    "season", "mnth", "day", "hr", "holiday", "weekday", "workingday", "weathersit", "temp",
    "atemp", "hum", "windspeed", "casual", "registered", "bikers",
)  # fmt: skip
SHELLS = (
    "sex", "length", "diameter", "height", "whole_weight", "shucked_weight", "viscera_weight",
    "shell_weight", "rings",
)  # fmt: skip
HITTERS = (
    "AtBat", "Hits", "HmRun", "Runs", "RBI", "Walks", "Years", "CAtBat", "CHits", "CHmRun",
    "CRuns", "CRBI", "CWalks", "League", "Division", "PutOuts", "Assists", "Errors", "NewLeague",
)  # fmt: skip
PUMP = (
    "Air temperature [K]", "Process temperature [K]", "Rotational speed [rpm]", "Torque [Nm]",
    "Tool wear [min]", "vibration_x", "vibration_y", "bearing_1_rms", "bearing_2_rms", "c1", "c12",
)  # fmt: skip
TABLES = (ROOM, BIKES, SHELLS, HITTERS, PUMP)


@pytest.mark.parametrize(
    ("columns", "sent", "meant"),
    [
        (ROOM, "Ligth", "Light"), (ROOM, "Ilght", "Light"), (ROOM, "Lights", "Light"),
        (ROOM, "Lihgt", "Light"), (ROOM, "Ligt", "Light"), (ROOM, "Lught", "Light"),
        (ROOM, "TEMPARATURE", "Temperature"), (ROOM, "temperture", "Temperature"),
        (ROOM, "Humidty", "Humidity"), (ROOM, "Humiditiy", "Humidity"),
        (ROOM, "humidity-ratoi", "HumidityRatio"), (ROOM, "Humdity Ration", "HumidityRatio"),
        (BIKES, "tmep", "temp"), (BIKES, "temps", "temp"), (BIKES, "a_tepm", "atemp"),
        (BIKES, "days", "day"), (BIKES, "hmu", "hum"), (BIKES, "weekdys", "weekday"),
        (BIKES, "wind_spede", "windspeed"), (BIKES, "holliday", "holiday"),
        (SHELLS, "sxe", "sex"), (SHELLS, "lenght", "length"), (SHELLS, "heigth", "height"),
        (SHELLS, "Diametre", "diameter"), (SHELLS, "ring", "rings"),
        (SHELLS, "wholeWieght", "whole_weight"), (SHELLS, "shucked wight", "shucked_weight"),
        (HITTERS, "CHmRnu", "CHmRun"), (HITTERS, "Walk", "Walks"), (HITTERS, "CWalsk", "CWalks"),
        (PUMP, "air_temprature_k", "Air temperature [K]"), (PUMP, "TorqueNM2", None),
        (PUMP, "rotational speed [rmp]", "Rotational speed [rpm]"),
        (PUMP, "Troque [Nm]", "Torque [Nm]"), (PUMP, "bearing1_rsm", "bearing_1_rms"),
        (PUMP, "bearing_3_rms", None), (PUMP, "c2", None), (PUMP, "c21", None),
        (PUMP, "vibration_z1", None), (PUMP, "vibration", "vibration_x"),
        (PUMP, "vibratoin_y", "vibration_y"), (PUMP, "vibrationZ", None),
        (ROOM, "CO", None), (ROOM, "NO2", None), (ROOM, "battery", None), (ROOM, "night", None),
        (BIKES, "hrs", None), (BIKES, "stemp", None), (BIKES, "sum", None),
        (SHELLS, "age", None), (SHELLS, "width", None), (SHELLS, "weight", None),
        (HITTERS, "BRI", "RBI"), (HITTERS, "At", None),
    ],
)  # fmt: skip
def test_what_people_mistype_is_found_and_other_names_are_not(
    columns: Sequence[str], sent: str, meant: str | None
) -> None:
    expected = None if meant is None else (sent, meant)
    assert NearNames(columns).find([sent], set(columns)) == expected


@pytest.mark.parametrize("columns", TABLES)
def test_each_column_of_a_real_table_can_be_sent_where_another_is_absent(
    columns: Sequence[str],
) -> None:
    near = [
        (one, other)
        for one in columns
        for other in columns
        if one != other and NearNames((other,)).find([one], {other}) is not None
    ]
    assert not near


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["Temprature"], ("Temprature", "Temperature")),
        (["battery", "relativ-humidity"], ("relativ-humidity", "Relative Humidity")),
        (["SENSRO 2"], ("SENSRO 2", "sensor_2")),
        (["sensor_02"], ("sensor_02", "sensor_2")),
        (["sensor_3", "SENSOR 22", "xsensor_1"], None),
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


def wide_task() -> TaskSpec:
    """A task of 300 columns whose names have the same few letters."""
    rng = random.Random(0)
    columns = tuple("".join(rng.choices("abcdefgh", k=60)) for _ in range(300))
    spec = TensorSpec(
        name="input", datatype="FP32", shape=(300,), columns=columns, allow_missing=True,
        cells=tuple(Cell(column=name, read="number") for name in columns),
    )  # fmt: skip
    return TaskSpec(
        name="wide", kind="classification", description="Wide", inputs=(spec,), labels=("a", "b")
    )


def made_up(task: TaskSpec, n: int = 100) -> list[str]:
    """Names that each have a column's letters in another order."""
    rng, columns = random.Random(1), task.inputs[0].columns or ()
    return ["".join(rng.sample(rng.choice(columns), 60)) for _ in range(n)]


def test_names_that_are_made_to_be_compared_are_compared_a_few_times(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task, calls, pairs = wide_task(), list[str](), list[int]()
    reader = ColumnReader(task)
    alike, count = near_names._alike, near_names._count

    def noted(one: str, other: str) -> float:
        calls.append(one)
        return alike(one, other)

    def counted(words: Sequence[str]) -> Any:
        pairs.append(300 * len(words))
        return count(words)

    monkeypatch.setattr(near_names, "_alike", noted)
    monkeypatch.setattr(near_names, "_count", counted)
    layout = reader.layout(made_up(task))
    assert layout.wrong is not None
    assert layout.wrong[0] is Reason.MISSING_INPUT
    assert len(calls) == 40
    assert 15_000 < sum(pairs) <= 20_000


def test_a_message_is_looked_through_once_for_all_formats(monkeypatch: pytest.MonkeyPatch) -> None:
    task, looks = wide_task(), list[int]()
    own = NearNames.find

    def find(self: NearNames, names: Sequence[str], absent: Collection[str]) -> Any:
        looks.append(len(names))
        return own(self, names, absent)

    monkeypatch.setattr(NearNames, "find", find)
    names = made_up(task, 800)  # too many to be kept
    _, rejected = decode(FakeRecord(as_bytes(dict.fromkeys(names, 1))), task=task)
    assert "is a column of task wide" in rejected[0][1].text
    assert looks.count(800) == 1


@given(st.text("abcé", max_size=12), st.text("abcé", max_size=12))
def test_names_are_as_alike_as_the_letters_that_stand_in_one_order(one: str, other: str) -> None:
    @cache
    def common(i: int, k: int) -> int:
        if i == len(one) or k == len(other):
            return 0
        if one[i] == other[k]:
            return 1 + common(i + 1, k + 1)
        return max(common(i + 1, k), common(i, k + 1))

    letters = len(one) + len(other)
    assert near_names._alike(one, other) == 2 * common(0, 0) / max(letters, 1)
