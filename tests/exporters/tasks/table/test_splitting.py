"""Splits by unit, by time and against another table, and what `load` makes of them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ounce_exporters.ladder.recipe import TaskData
from ounce_exporters.tasks.table.options import TableOptions
from ounce_exporters.tasks.table.splitting import split_by_time, split_by_unit, split_other
from ounce_exporters.tasks.table.task import load, task_name
from ounce_exporters.tasks.table.tolerance import default_tolerance
from ounce_schemas.errors import DataError

N = 240
RNG = np.random.default_rng(0)
CLASSES = RNG.integers(0, 2, N)
MACHINES = np.array([f"m{i % 24:02d}" for i in range(N)])


def loaded(
    folder: Path, target: str = "y", *, data: pd.DataFrame | None = None, **options: object
) -> tuple[TaskData, list[str]]:
    """A table as a task, and what was said."""
    table = data if data is not None else pd.DataFrame(
        {
            "machine": MACHINES,
            "day": pd.date_range("2026-01-01", periods=N, freq="h").astype(str)[::-1],
            "v": np.arange(N) / 7 + RNG.random(N),
            "y": np.where(CLASSES, "fail", "ok"),
        }
    )  # fmt: skip
    table.to_csv(folder / "t.csv", index=False)
    said: list[str] = []
    given = TableOptions(**options)  # type: ignore[arg-type]
    return load(folder / "t.csv", target, "t", given, 0, said.append), said


@pytest.mark.parametrize("targets", [CLASSES, RNG.normal(size=N).astype(np.float32)])
def test_all_rows_of_a_unit_are_in_one_split(targets: np.ndarray) -> None:
    *parts, clusters = split_by_unit(targets, MACHINES, 0)
    assert ((clusters[:, None] == clusters) == (MACHINES[:, None] == MACHINES)).all()
    assert sorted(np.concatenate(parts)) == list(range(N))
    units = [set(MACHINES[rows]) for rows in parts]
    assert units[0] & units[1] == units[1] & units[2] == units[0] & units[2] == set()
    assert [len(u) for u in units] == [12, 6, 6]
    again = split_by_unit(targets, MACHINES, 0)[:3]
    assert all((a == b).all() for a, b in zip(parts, again, strict=True))
    assert any(
        (a != b).any() for a, b in zip(parts, split_by_unit(targets, MACHINES, 1)[:3], strict=True)
    )


def test_the_units_that_train_have_every_class_that_they_can_have() -> None:
    classes = np.where(MACHINES == "m03", 2, CLASSES)
    for seed in range(5):
        assert set(classes[split_by_unit(classes, MACHINES, seed)[0]]) == {0, 1, 2}


def test_a_class_that_only_comes_later_is_left_out_and_said(tmp_path: Path) -> None:
    table = pd.DataFrame({"day": range(N), "v": RNG.random(N), "y": np.where(CLASSES, "b", "d")})
    table.loc[200:, "y"] = "a"
    data, said = loaded(tmp_path, data=table, time="day")
    assert data.spec.labels == ("b", "d")
    assert (len(data.train), len(data.validation), len(data.test)) == (120, 42, 38)
    expected = np.searchsorted(["b", "d"], table["y"][126:132])
    assert data.test.targets[:6].tolist() == expected.tolist()
    assert any("class 'a' has no training row, but 40 in the other splits" in s for s in said)


def test_too_few_units_are_counted() -> None:
    with pytest.raises(DataError, match="--unit: units found: 3; at least 4 are needed"):
        split_by_unit(CLASSES, np.arange(N) % 3, 0)


def test_later_rows_validate_and_test() -> None:
    order = RNG.permutation(N)
    train, validation, test, clusters = split_by_time(order)
    assert (len(train), len(validation), len(test)) == (120, 60, 60)
    assert train.tolist() == order[:120].tolist()
    assert sorted([*validation, *test]) == sorted(order[120:])
    assert validation.tolist() == [r for i, r in enumerate(order[120:]) if i // 6 % 2 == 0]
    assert np.unique(clusters[validation]).tolist() == list(range(0, 20, 2))  # a stretch each


def test_another_table_validates_and_tests() -> None:
    train, validation, test, clusters = split_other(100, CLASSES, 0)
    assert train.tolist() == list(range(100))
    assert sorted([*validation, *test]) == list(range(100, N))
    assert abs(len(validation) - len(test)) <= 1
    assert clusters[100:].tolist() == [row // 7 for row in range(N - 100)]  # neighbours together


def test_a_unit_is_no_input_and_the_card_says_how_it_was_split(tmp_path: Path) -> None:
    data, said = loaded(tmp_path, unit="machine")
    assert [t.columns for t in data.spec.inputs] == [("day.hour", "day.weekday", "v")]
    assert data.source == "t.csv, all rows of one 'machine' in one split"
    assert data.units is not None
    assert (len(data.units), len(set(data.units))) == (len(data.train), 18)  # of 24, 6 test
    assert data.folds is not None
    of_folds = [set(data.units[data.folds == fold]) for fold in range(4)]
    assert sum(map(len, of_folds)) == 18
    assert data.clusters is not None
    assert set(data.clusters) == set(data.units)
    assert "column 'machine' tells units apart and is no input" in said


def test_rows_go_by_time(tmp_path: Path) -> None:
    data, _ = loaded(tmp_path, time="day")
    assert data.units is None
    v = [part.inputs["input"][:, 2] for part in (data.train, data.validation, data.test)]
    assert v[0].min() > max(v[1].max(), v[2].max()) - 1  # the table runs backwards in time


def test_another_file_is_read_as_its_cells_are(tmp_path: Path) -> None:
    other = pd.DataFrame(
        {
            "machine": ["M03", "new"] * 30,
            "day": "2027-05-05 05:00:00",
            "v": ["1.5", "often"] * 30,
            "y": ["ok", "fail"] * 30,
            "more": 1,
        }
    )
    other.to_csv(tmp_path / "other.csv", index=False)
    data, said = loaded(tmp_path, test=tmp_path / "other.csv")
    assert (len(data.train), len(data.validation), len(data.test)) == (N, 30, 30)
    assert set(data.test.inputs["categories"].ravel()) == {"m03", "new"}
    assert set(data.test.inputs["input"][:, 0]) == {5.0}
    assert "read as gaps: 30 cells of column 'v' in the other file" in said
    other.drop(columns="v").to_csv(tmp_path / "less.csv", index=False)
    with pytest.raises(DataError, match=r"less\.csv lacks the columns 'v'"):
        loaded(tmp_path, test=tmp_path / "less.csv")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"unit": "machine", "time": "day"}, "--unit and --time: give one of them"),
        ({"unit": "mach"}, "--unit: there is no column 'mach': the table has machine, day, v, y"),
        ({"without": frozenset(["y"])}, "--without: 'y' is the target"),
        ({"columns": {"w": "number"}}, "--columns: there is no column 'w'"),
        ({"tolerance": 1.0}, "--tolerance is for quantities: target 'y' has the classes fail, ok"),
    ],
)
def test_options_that_do_not_fit_are_named(
    options: dict[str, object], text: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=text):
        loaded(tmp_path, **options)


def test_a_column_can_be_left_out(tmp_path: Path) -> None:
    data, _ = loaded(tmp_path, without=frozenset(["day", "machine"]))
    assert [t.columns for t in data.spec.inputs] == [("v",)]


def test_the_task_lists_the_texts_that_were_learned(tmp_path: Path) -> None:
    kinds = np.array(["TRUE", "FALSE", ""])[RNG.integers(0, 3, N)]
    kinds[0] = "once"
    table = pd.DataFrame({"v": RNG.random(N), "on": kinds, "y": CLASSES})
    data, _ = loaded(tmp_path, data=table)
    cell = data.spec.inputs[1].cells[0]  # type: ignore[index]
    assert (cell.column, cell.read, cell.texts) == ("on", "text", ("FALSE", "TRUE"))


def test_a_quantity_gets_a_tolerance_that_a_ladder_can_keep(tmp_path: Path) -> None:
    x = RNG.normal(size=(N, 2))
    table = pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "y": 3 * x[:, 0] + RNG.normal(0, 0.1, N)})
    data, said = loaded(tmp_path, data=table)
    assert data.spec.tolerance is not None
    assert 0.15 < data.spec.tolerance < 0.3  # 1.96 deviations of the noise
    assert said[-1].startswith(f"a prediction within ±{data.spec.tolerance:g} of 'y' counts as")
    given, _ = loaded(tmp_path, data=table, tolerance=2.0)
    assert given.spec.tolerance == 2
    with pytest.raises(DataError, match="the same in every training row"):
        default_tolerance(np.zeros((50, 1), np.float32), np.ones(50))


def test_a_tolerance_is_that_of_units_that_were_not_seen() -> None:
    units = np.arange(N) % 12
    levels = RNG.normal(size=12)
    features = (units[:, None] + RNG.normal(0, 0.01, (N, 1))).astype(np.float32)
    told = [default_tolerance(features, levels[units], u).value for u in (None, units)]
    assert told[1] > 5 * told[0], "a level is known of a unit that was seen"


def test_a_file_name_becomes_a_task_name() -> None:
    assert task_name(Path("data/Room data_2.csv")) == "room-data-2"
    assert task_name(Path("data/pumps.csv.gz")) == "pumps"
