"""Columns that a person is told to look at."""

import numpy as np
import pytest
from numpy.typing import NDArray
from ounce_exporters.tasks.table.columns import choose_columns
from ounce_exporters.tasks.table.repeats import find_copies, find_order, find_units
from ounce_exporters.tasks.table.suspects import (
    _error,
    _least_error,
    find_causes,
    find_leaks,
    find_marks,
    find_personal,
    find_sum,
)

from tests.exporters.tasks.table.tables import frame

N = 400
RNG = np.random.default_rng(0)
NOISE = RNG.normal(size=N)
CLASSES = RNG.integers(0, 3, N)


def leaks(targets: NDArray[np.generic], *, classifies: bool, **columns: object) -> list[str]:
    inputs = choose_columns(frame(v=NOISE, **columns), "y").inputs
    return find_leaks(inputs, targets, classifies=classifies)


def test_a_column_that_gives_the_target_away_is_named() -> None:
    found = leaks(CLASSES, classifies=True, ticket=[f"T{c}" for c in CLASSES], twice=CLASSES * 2.0)
    assert [line.split("'")[1] for line in found] == ["ticket", "twice"]
    assert "--without 'ticket'" in found[0]
    values = np.tanh(NOISE).astype(np.float32)
    found = leaks(values, classifies=False, other=RNG.normal(size=N))
    assert [line.split("'")[1] for line in found] == ["v"]


def test_a_good_column_and_one_of_many_texts_are_not() -> None:
    noisy = np.where(RNG.random(N) < 0.1, RNG.integers(0, 3, N), CLASSES).astype(float)
    texts = [f"t{i % 190}" for i in range(N)]
    assert leaks(CLASSES, classifies=True, noisy=noisy, texts=texts) == []
    assert leaks(CLASSES * 2.0 + NOISE, classifies=False, noisy=noisy) == []


@pytest.mark.parametrize("classifies", [True, False])
@pytest.mark.parametrize("n_values", [2, 30, N])
def test_the_bound_is_below_the_error_of_every_tree(classifies: bool, n_values: int) -> None:
    rng = np.random.default_rng(n_values)
    for noise in (0.0, 0.01, 0.1, 1.0, 100.0):
        values = np.round(rng.uniform(0, n_values, N)).reshape(-1, 1)
        truth = np.sin(values[:, 0]) + noise * rng.normal(size=N)
        truth = np.digitize(truth, [-0.5, 0.5]) if classifies else truth
        bound = _least_error(truth[values.argsort(axis=0)], classifies)
        assert bound <= _error(values, truth, classifies, quick=True) + 1e-12


@pytest.mark.parametrize("classifies", [True, False])
def test_of_thousands_of_columns_few_are_looked_at_closely(
    classifies: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = list[int]()

    def look(values: NDArray[np.float64], *more: object, **how: bool) -> float:
        looked.append(1)
        return _error(values, *more, **how)  # type: ignore[arg-type]

    monkeypatch.setattr("ounce_exporters.tasks.table.suspects._error", look)
    wide = frame(**{f"c{i}": RNG.normal(size=N) for i in range(600)}, leak=CLASSES * 2.0)
    inputs = choose_columns(wide, "y").inputs
    found = find_leaks(inputs, CLASSES if classifies else CLASSES * 2.0, classifies=classifies)
    assert [line.split("'")[1] for line in found] == ["leak"]
    assert len(looked) == 2


def test_columns_that_add_up_to_the_target_are_named() -> None:
    casual, registered = RNG.poisson(5, N), RNG.poisson(50, N)
    table = frame(v=NOISE, casual=casual, registered=registered)
    inputs = choose_columns(table, "y").inputs
    found = find_sum(inputs, (casual + registered).astype(np.float32))
    assert found is not None
    assert found.startswith("columns 'casual', 'registered' add up to the target")
    noisy = casual + registered + RNG.normal(size=N)
    assert find_sum(inputs, noisy.astype(np.float32)) is None
    alone = find_sum(inputs, (0.5 * registered).astype(np.float32)) or ""
    assert alone.startswith("column 'registered', times a constant, is the target")


def test_columns_that_look_personal_are_named() -> None:
    table = frame(
        last_name=["Ito", "Silva"] * 20,
        contact=["a@b.org", "c@d.org"] * 20,
        line=["+49 30 123456", "+44 20 654321"] * 20,
        model_name=["m1", "m2"] * 20,
        email_count=np.arange(40) % 7,
        phone_service=["yes", "no"] * 20,
        mobile=[f"0151 {n % 8}" for n in range(40)],
        y="a",
    )
    found = find_personal(choose_columns(table, "y").inputs)
    named = {line.split("'")[1] for line in found}
    assert {"last_name", "contact", "line", "mobile"} <= named
    assert not {"model_name", "phone_service"} & named


def test_values_that_may_mark_gaps_are_named() -> None:
    warm = np.where(np.arange(N) % 9 == 0, -9999, NOISE)
    counts = np.where(np.arange(N) % 50 == 0, 65535, np.arange(N) % 40)
    nines = np.where(np.arange(N) % 9 == 0, 99, np.arange(N) % 98)  # 99 is one of them
    table = frame(warm=warm, counts=counts, nines=nines, once=[-9999, *NOISE[1:]], v=NOISE)
    found = find_marks(choose_columns(table, "y").inputs)
    assert [line.split("'")[1] for line in found] == ["warm", "counts"]
    assert found[0].startswith("column 'warm' holds -9999 in 45 rows, far from all other values")


def test_a_rounded_mean_of_columns_is_told() -> None:
    least, extra = RNG.uniform(5, 60, N).round(1), RNG.uniform(1, 9, N).round(1)
    others = {f"v{i}": RNG.normal(size=N) for i in range(20)}
    inputs = choose_columns(frame(least=least, most=least + extra, **others), "y").inputs
    mean = (least + extra / 2).round(1)
    assert (find_sum(inputs, mean) or "").startswith("columns 'least', 'most' add up")
    assert find_sum(inputs, mean + 0.3 * RNG.normal(size=N)) is None


def test_a_rounded_sum_of_many_columns_is_told() -> None:
    marks = {f"mark{i}": RNG.normal(10, 2.2, N) for i in range(20)}
    inputs = choose_columns(frame(**marks), "y").inputs
    found = find_sum(inputs, sum(marks.values(), np.zeros(N)).round()) or ""
    assert all(repr(name) in found for name in marks)


def test_a_column_that_tells_whose_a_row_is_is_named() -> None:
    whose = np.repeat(np.arange(80.0), 5)
    inputs = choose_columns(
        frame(v=NOISE, patient_id=whose, nr=whose, amount=whose, id=np.arange(N) % 5 * 1.0), "y"
    ).inputs
    found = find_units(inputs)
    assert [line.split("'")[1] for line in found] == ["patient_id", "nr"]
    assert "80 have 5 rows or so each" in found[0]
    assert "--unit 'patient_id'" in found[0]


@pytest.mark.parametrize("name", ["no_of_workers", "num_customers", "Price per unit"])
def test_amounts_of_people_and_machines_tell_nothing_of_whose_a_row_is(name: str) -> None:
    inputs = choose_columns(frame(v=NOISE, **{name: np.arange(N) % 40 * 3.0}), "y").inputs
    assert find_units(inputs) == []


def test_rows_that_are_copies_are_told() -> None:
    few = np.arange(N) % 12
    measured, coded = frame(v=few * 0.3), frame(v=few % 3 * 0.3, w=few % 2)
    told = [find_copies(choose_columns(table, "y").inputs, table) for table in (measured, coded)]
    assert told == [
        "97% of the rows are copies of others, in all splits, so models are judged by rows that "
        "they know: leave the copies out of the table",
        None,
    ]
    table = frame(v=NOISE)
    assert find_copies(choose_columns(table, "y").inputs, table) is None


def test_measurements_tell_nothing_of_whose_a_row_is() -> None:
    inputs = choose_columns(frame(v=NOISE, sensor=np.arange(N) % 40 * 0.3), "y").inputs
    assert find_units(inputs) == []


@pytest.mark.parametrize(
    ("name", "times"),
    [
        ("at", [f"2026-{1 + i // 28:02d}-{1 + i % 28:02d}" for i in range(300)]),
        ("year", [1900.0 + i / 12 for i in range(300)]),
        ("year", [f"{1900 + i / 12:.4f}" for i in range(300)]),
    ],
)
def test_rows_in_the_order_of_time_are_told(name: str, times: list[object]) -> None:
    table = frame(**{"v": NOISE[:300], name: times})
    assert f"--time '{name}'" in (find_order(table, "v") or "")
    assert find_order(table.sample(frac=1, random_state=0), "v") is None
    assert (
        find_order(table.rename(columns={name: "v", "v": "w"}).assign(v=NOISE[:300]), "w") is None
    )


@pytest.mark.parametrize("written", [(0, 1), ("no", "yes")], ids=["numbers", "texts"])
def test_kinds_of_a_failure_beside_it_are_named(written: tuple[object, object]) -> None:
    kinds = {name: RNG.random(N) < 0.05 for name in ("heat", "power", "strain")}
    other = RNG.random(N) < 0.5
    fails = np.any(list(kinds.values()), axis=0)
    fails[np.flatnonzero(~fails)[0]] = True  # one of no recorded kind
    columns = {k: np.array(written)[v.astype(int)] for k, v in {**kinds, "open": other}.items()}
    inputs = choose_columns(frame(v=NOISE, **columns), "y").inputs
    found = find_causes(inputs, fails.astype(np.int64)) or ""
    assert found.startswith("columns 'heat', 'power', 'strain' tell 9")
    assert found.endswith("train --without 'heat' and so on")
    assert find_causes(inputs, (fails & other).astype(np.int64)) is None
    by_chance = RNG.random(N) < 0.1
    assert find_causes(inputs, by_chance.astype(np.int64)) is None
    assert find_causes(inputs, CLASSES) is None
