"""Figures in words: nothing reads +0.0 points, 1 times the work or 0.0%."""

import pytest
from ounce_exporters.advisor.wording import against, forecast, gain, percent, work


@pytest.mark.parametrize(
    ("points", "told"),
    [
        (0.0, "no measurable difference (under 0.05 points)"),
        (-0.049, "no measurable difference (under 0.05 points)"),
        (0.3, "+0.3 points"),
        (-12.04, "-12.0 points"),
    ],
)
def test_a_gain_that_no_figure_shows_is_told_so(points: float, told: str) -> None:
    assert gain(points) == told


def test_what_is_level_is_told_so() -> None:
    assert against(0.01, "lines") == "level with lines"
    assert against(-2, "lines") == "-2.0 points against lines"


@pytest.mark.parametrize(
    ("ratio", "told"),
    [
        (1.0, "about the same work"),
        (0.96, "about the same work"),
        (1.06, "1.1 times the work"),
        (0.5, "0.5 times the work"),
        (0.0004, "less than a hundredth of the work"),
        (99.7, "100 times the work"),
        (1234.5, "1,234 times the work"),
    ],
)
def test_work_is_a_multiple_without_an_exponent(ratio: float, told: str) -> None:
    assert work(ratio) == told


@pytest.mark.parametrize(
    ("share", "digits", "told"),
    [
        (0.0002, 1, "under 0.1%"),
        (0.0006, 1, "0.1%"),
        (0.004, 0, "under 1%"),
        (0.005, 0, "under 1%"),
        (0.35, 0, "35%"),
    ],
)
def test_a_share_is_never_told_as_none(share: float, digits: int, told: str) -> None:
    assert percent(share, digits) == told


def test_an_expected_gain_that_no_figure_shows_is_told_so() -> None:
    assert forecast(1.04, -0.02, 2) == "+1.0 (0.0 to +2.0)"
    assert forecast(-0.04, -2, 2.1) == "no measurable difference (-2.0 to +2.1)"
