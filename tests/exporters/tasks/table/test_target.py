"""What is predicted: classes or a quantity, and what is left out of it."""

import numpy as np
import pytest
from ounce_exporters.tasks.table.target import Target, read_target
from ounce_schemas.errors import DataError

from tests.exporters.tasks.table.tables import frame


def target(values: object, **options: object) -> Target:
    return read_target(frame(y=values), "y", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("cells", "labels"),
    [
        (["no", "yes"], ("no", "yes")),
        (["TRUE", "FALSE"], ("FALSE", "TRUE")),
        ([10, 9], ("9", "10")),
        (["10", "9"], ("9", "10")),
        ([2.0, 1.0], ("1", "2")),
        (["1.0", "0.0"], ("0", "1")),
        (["NA", "EU"], ("EU", "NA")),
    ],
)
def test_texts_and_few_whole_numbers_are_classes(cells: list[object], labels: tuple[str]) -> None:
    found = target([*cells * 8, None])
    assert found.labels == labels
    indices = [labels.index(str(cell).removesuffix(".0")) for cell in cells]
    assert found.values.tolist()[:2] == indices
    assert found.rows.tolist() == [True] * 16 + [False]


@pytest.mark.parametrize("cells", [[0.5, 1.25, 2.0], list(range(21)), ["0,5", "1,25", "21"]])
def test_fractions_and_many_whole_numbers_are_quantities(cells: list[object]) -> None:
    found = target(cells)
    assert found.labels == ()
    assert found.values.dtype == np.float32
    assert found.values.tolist() == [float(str(c).replace(",", ".")) for c in cells]


def test_the_kind_can_be_said() -> None:
    stars = [1.0, 2.0, 3.0] * 8
    assert "say --kind regression" in target(stars).notices[0]
    assert target(stars, kind="regression").values.tolist() == stars
    kinds = list(range(60)) * 8
    assert target(kinds).labels == ()
    assert target(kinds, kind="classification").labels == tuple(map(str, range(60)))
    halves = target([0.5, 1.5] * 8, kind="classification")
    assert halves.labels == ("0.5", "1.5")
    with pytest.raises(DataError, match="--kind regression: target 'y' holds texts, such as 'a'"):
        target(["a", "b"], kind="regression")


def test_rows_without_a_number_are_left_out_and_said() -> None:
    found = target([*(f"{i},5 kg" for i in range(40)), "broken", "NA"])
    assert found.rows.tolist() == [True] * 40 + [False] * 2
    assert found.values.tolist() == [i + 0.5 for i in range(40)]
    assert found.notices == (
        "2 rows are left out: their 'y' is no number but 'broken' and others",
        "target 'y' is a number with the unit 'kg'",
        "target 'y' has decimal commas",
    )


def test_rare_classes_are_left_out_with_their_rows() -> None:
    found = target(["ok"] * 30 + ["fail"] * 8 + ["smoke"] * 5)
    assert found.labels == ("fail", "ok")
    assert found.rows.sum() == 38
    assert not found.rows[-5:].any()
    assert "'smoke' (5 rows)" in found.notices[0]


@pytest.mark.parametrize(
    ("cells", "text"),
    [
        ([7] * 20, "target 'y' is 7 in every row"),
        (["", ""], "target 'y' is empty in all 2 rows"),
        (
            [0.5, np.inf, 1.0],
            "holds inf, which is infinite or too large: write it in another unit",
        ),
        (["2026-01-01", "2026-01-02", "2026-01-03"], "target 'y' holds dates"),
        (["a"] * 20 + ["b"], "two classes of 8 rows or more are needed, .* class 'b' has 1 row "),
    ],
)
def test_a_target_that_can_not_be_learned_is_named(cells: list[object], text: str) -> None:
    with pytest.raises(DataError, match=text):
        target(cells)


def test_a_large_quantity_is_centred_before_float32() -> None:
    hz = 50_000_000 + np.array([0.1, 12.7, 25.3, 40.9])
    found = target(hz)
    offset = found.offset or 0.0
    assert offset > 4e7
    np.testing.assert_allclose(found.values.astype(float) + offset, hz, rtol=0, atol=1e-5)
    assert "target 'y' less 50000019, since float32 would blur it" in found.notices[0]


@pytest.mark.parametrize(
    ("factor", "told"), [(1e-12, True), (1e-3, False), (1e9, False), (1e20, True)]
)
def test_a_unit_that_models_can_not_compute_in_is_told(factor: float, told: bool) -> None:
    found = target([n * factor / 8 for n in range(-20, 20)])
    assert any("write it in another unit" in line for line in found.notices) == told


def test_classes_that_differ_in_capital_letters_alone_are_named() -> None:
    found = target(["ok"] * 20 + ["OK"] * 20 + ["fail"] * 20)
    assert found.labels == ("OK", "fail", "ok")
    assert found.notices == (
        "classes 'OK', 'ok' differ in capital letters alone: each is one of its own",
    )


def test_a_mark_of_gaps_in_the_numbers_is_one_in_the_target() -> None:
    classes = ["carni", "herbi", "NA"] * 8
    weights = ["1.5", "2", "NA", "4"] * 6
    found = read_target(frame(y=classes, kg=weights), "y")
    assert found.labels == ("carni", "herbi")
    assert found.rows.tolist() == [True, True, False] * 8
    assert found.notices[0].startswith("8 rows are left out: their 'y' is 'NA', which marks a gap")
    sizes = ["S", "M", "NA", "L"] * 6
    assert read_target(frame(y=classes, kg=sizes), "y").labels == ("NA", "carni", "herbi")


def test_a_name_within_the_only_column_asks_for_the_separator() -> None:
    table = frame(**{"id  weight  y": ["1 2 a"] * 3})
    with pytest.raises(DataError, match=r"no column 'y': .*; name the separator with --sep"):
        read_target(table, "y")


def test_counts_that_thin_out_are_a_quantity() -> None:
    counts = [n for n, rows in enumerate([40, 30, 20, 9, 4, 2, 1]) for _ in range(rows)]
    found = target(counts)
    assert found.labels == ()
    assert len(found.values) == len(counts)
    assert "--kind classification" in found.notices[0]
    assert target(counts, kind="classification").labels == ("0", "1", "2", "3")
    refused = [n for n in range(1, 6) for _ in range(30)] + [97, 97, 98, 99]
    assert target(refused).labels == ("1", "2", "3", "4", "5")
    one_rare = [n for n, rows in enumerate([40, 30, 4, 20, 9]) for _ in range(rows)]
    assert target(one_rare).labels == ("0", "1", "3", "4")
