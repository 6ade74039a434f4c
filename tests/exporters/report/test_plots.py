"""Plots show what the figures say, and nothing of a name is markup."""

import math
import re
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
from ounce_exporters.report import plots
from ounce_exporters.report.style import STYLE
from ounce_exporters.report.svg import LETTER, WIDTH, Frame, padded, power_ticks, short, ticks
from ounce_schemas.card import (
    AccuracyEstimate,
    GroupFigures,
    GroupTable,
    Importance,
    LearningPoint,
)

from tests.support.contrast import ENOUGH, blended, colour_of, contrast


def texts(svg: str) -> list[str]:
    """What a reader sees, in order."""
    return [e.text or "" for e in ElementTree.fromstring(svg).iter("text")]


def test_a_large_tick_has_no_exponent() -> None:
    values = (0.0, -0.25, 0.1 + 0.2, 2500.0, 290_000.0, -12_000_000.0)
    assert [short(v) for v in values] == ["0", "-0.25", "0.3", "2,500", "290,000", "-12,000,000"]


def test_long_ticks_of_the_y_axis_are_not_cut_off() -> None:
    svg = Frame((0.0, 1.0), (-500_000.0, 500_000.0), "x", "y").svg("residuals")
    found = [e for e in ElementTree.fromstring(svg).iter("text") if e.get("class") == "tick end"]
    assert next(e.text for e in found) == "-400,000"
    assert all(float(e.get("x", 0)) - LETTER * len(e.text or "") > 12 for e in found)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 1.0, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (-3.0, 7.0, [-2, 0, 2, 4, 6]),
        (0.88, 0.97, [0.88, 0.9, 0.92, 0.94, 0.96]),
        (0, 2310, [0, 500, 1000, 1500, 2000]),
    ],
)
def test_ticks_are_round(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (10, 900, ["10", "20", "50", "100", "200", "500"]),
        (10, 100_000, ["10", "100", "1,000", "10,000", "100,000"]),
        (6.2, 9.1, ["7", "8", "9"]),
    ],
)
def test_ticks_of_powers_are_round(low: float, high: float, expected: list[str]) -> None:
    found = power_ticks(math.log10(low), math.log10(high))

    assert [name for _, name in found] == expected
    values = [10**place for place, _ in found]
    assert values == pytest.approx([float(name.replace(",", "")) for name in expected])


@pytest.mark.parametrize(("low", "high"), [(5.0, 5.0), (0.0, 0.0), (-1e30, 1e30), (1e-9, 2e-9)])
def test_a_range_is_never_empty(low: float, high: float) -> None:
    a, b = padded(low, high)
    assert a < low <= high < b
    assert ticks(a, b)


def test_a_confusion_matrix_counts() -> None:
    answers = np.eye(2, dtype=np.float32)[[0, 0, 1, 1, 1]]
    svg = plots.confusion(("free", "<b>"), answers, np.array([0, 1, 1, 1, 0]))
    assert svg is not None
    assert "<b>" not in svg.replace("&lt;b&gt;", "")
    assert texts(svg) == ["answer", "free", "free", "1", "1", "<b>", "<b>", "1", "2"]
    many = tuple(str(i) for i in range(21))
    assert plots.confusion(many, np.eye(21, dtype=np.float32), np.arange(21)) is None


def test_a_calibration_curve_goes_through_the_shares_that_are_right() -> None:
    answers = np.array([[0.75, 0.25]] * 6 + [[0.05, 0.95]] * 5 + [[0.4, 0.6]] * 4, np.float32)
    svg = plots.calibration(answers, np.array([0] * 3 + [1] * 8 + [0] * 4))
    dots = [
        [float(e.get("cx", "")), float(e.get("cy", ""))]
        for e in ElementTree.fromstring(svg).iter("circle")
    ]
    # x: confidence from 0.5 to 1 in 52 to 348; y: share from 0 to 1 in 220 to 12.
    assert sum(dots, []) == pytest.approx([200.0, 116.0, 318.4, 12.0])  # noqa: RUF017


def test_residuals_are_the_errors() -> None:
    estimates = np.array([[1.0, 0, 2], [3.0, 2, 4]], np.float32)
    svg = plots.residuals(estimates, np.array([2.0, 3.0], np.float32), tolerance=0.5)
    lines = [e.get("class") for e in ElementTree.fromstring(svg).iter("polyline")]
    assert lines == ["ideal", "ideal", "axis"]
    heights = sorted(float(e.get("cy", "")) for e in ElementTree.fromstring(svg).iter("circle"))
    assert heights[0] == pytest.approx(116.0)  # no error: in the middle
    assert heights[1] > 200  # an error of -1 is the greatest


def test_the_greatest_importances_come_first_and_negative_ones_have_no_bar() -> None:
    found = [
        Importance(input="noise", lost=-0.01, spread=0.004),
        Importance(input="main & only", lost=0.3, spread=0.01),
        Importance(input="idle", lost=-0.0003, spread=0.004),
    ]
    svg = plots.importances(found)
    assert texts(svg) == ["main & only", "0.300", "idle", "0.000", "noise", "-0.010"]
    widths = [float(e.get("width", "")) for e in ElementTree.fromstring(svg).iter("rect")]
    assert widths[0] > 100
    assert widths[1:] == [0, 0]


def test_a_learning_curve_has_both_lines() -> None:
    points = [LearningPoint(n_rows=n, train=1.0, validation=v) for n, v in ((10, 0.5), (20, 0.6))]
    svg = plots.learning_curve(points, "recall")
    lines = [e.get("class") for e in ElementTree.fromstring(svg).iter("polyline")]
    assert lines == ["second", "main"]


def test_groups_stand_from_the_worst_to_the_best() -> None:
    def group(name: str, value: float) -> GroupFigures:
        accuracy = AccuracyEstimate(value=value, low=value - 0.1, high=min(value + 0.1, 1), n=1234)
        return GroupFigures(name=name, accuracy=accuracy)

    table = GroupTable(column="site", least_items=30, groups=(group("a", 0.9), group("b", 0.7)))
    svg = plots.groups(table)
    assert [t for t in texts(svg) if not re.fullmatch(r"[\d.]+", t)] == [
        "b",
        "n 1,234",
        "a",
        "n 1,234",
    ]


@pytest.mark.parametrize("powers", [(2.1, 4.45), (1.68, 4.03)], ids=["close", "at-the-end"])
def test_names_of_ticks_do_not_collide_and_stay_inside(powers: tuple[float, float]) -> None:
    frame = Frame(powers, (0.0, 1.0), "rows", "accuracy", powers=True)
    ticks = re.findall(r'class="tick mid" x="([\d.]+)" y="[\d.]+">([^<]+)<', frame.svg("t"))
    spans = [(float(x) - 3.2 * len(name), float(x) + 3.2 * len(name)) for x, name in ticks]
    assert len(spans) > 2, ticks
    assert all(before[1] < after[0] for before, after in pairwise(spans))
    assert spans[-1][1] <= WIDTH


def test_words_and_figures_are_read_by_day_and_by_night() -> None:
    themes = re.findall(r":root\{(.*?)\}", STYLE, re.DOTALL)
    assert len(themes) == 2
    for theme in themes:
        colours = {n: colour_of(c) for n, c in re.findall(r"--([a-z]+):(#[0-9a-f]+)", theme)}
        paper = colours["paper"]
        for name in ("ink", "soft", "main"):
            assert contrast(colours[name], paper) >= ENOUGH, name
        for name in ("main", "bad"):  # cells of the confusion matrix, with a figure each
            cell = blended(colours[name], paper, plots.DARKEST)
            assert contrast(colours["ink"], cell) >= ENOUGH, name
    svg = plots.confusion(("a", "b"), np.eye(2, dtype=np.float32), np.array([0, 1])) or ""
    cells = [e for e in ElementTree.fromstring(svg).iter("rect") if e.get("fill-opacity")]
    assert max(float(e.get("fill-opacity", 0)) for e in cells) <= plots.DARKEST
