"""Forecasts of learning curves, and which arms of a race they end."""

import pytest
from ounce_exporters.advisor.forecasting import forecast
from ounce_exporters.advisor.race import Runner
from ounce_exporters.advisor.stopping import stop_rule
from ounce_exporters.ladder.recipe import Recipe
from ounce_schemas.advice import CurvePoint, Limits

ROWS = (100, 200, 400, 800)
MANY = 1_000_000
"""Held-out rows, so that their noise is nothing."""


def curve(*validation: float, train: float = 0.95) -> list[CurvePoint]:
    return [
        CurvePoint(n_rows=n, train=train, validation=v)
        for n, v in zip(ROWS, validation, strict=False)
    ]


def runner(name: str, *validation: float) -> Runner:
    recipe = Recipe(name, "classical", name, lambda *_: pytest.fail("not fitted"))
    return Runner(recipe, curve(*validation))


def test_a_curve_that_rises_steadily_is_expected_to_rise_on() -> None:
    errors = [2.0 * n**-0.5 for n in ROWS]
    known = curve(*(1 - e for e in errors))

    band = forecast(known, 3200, MANY)

    assert band is not None
    assert band.low < band.value < band.high
    assert band.value == pytest.approx(1 - 2.0 * 3200**-0.5, abs=0.01)


def test_a_flat_curve_stays_and_the_band_widens_with_the_rows() -> None:
    known = curve(0.8, 0.8, 0.8, 0.8, train=0.8)

    near, far = forecast(known, 1600, MANY), forecast(known, 8000, MANY)

    assert near is not None
    assert far is not None
    assert near.value == pytest.approx(0.8, abs=0.01)
    assert far.high - far.low > near.high - near.low


@pytest.mark.parametrize(
    "validation",
    [(0.7, 0.8), (0.9, 0.9, 0.9, 0.8), (0.6, 0.9, 0.5, 0.9)],
    ids=["too few points", "falls", "no power law"],
)
def test_what_is_no_curve_has_no_forecast(validation: tuple[float, ...]) -> None:
    assert forecast(curve(*validation), 1600, MANY) is None


def test_an_arm_stops_where_its_best_is_below_the_worst_of_another() -> None:
    good, poor = runner("good", 0.9, 0.93, 0.95), runner("poor", 0.5, 0.5, 0.5)

    stops = stop_rule(Limits(), (), 800, MANY)

    assert list(stops([good, poor])) == ["poor"]
    assert "good at least" in stops([good, poor])["poor"]
    assert stops([good, runner("near", 0.88, 0.92, 0.945)]) == {}


def test_arms_that_show_something_or_may_be_needed_run_on() -> None:
    runners = [runner("good", 0.9, 0.93, 0.95), runner("poor", 0.5, 0.5, 0.5)]

    assert stop_rule(Limits(), ("poor",), 800, MANY)(runners) == {}
    assert stop_rule(Limits(max_latency_ms=1), (), 800, MANY)(runners) == {}
    assert stop_rule(Limits(), (), 800, MANY)([runner("a", 0.9, 0.9), runner("b", 0.1, 0.1)]) == {}


def test_few_held_out_rows_widen_the_band_and_end_nothing() -> None:
    known = curve(0.8, 0.8, 0.8, 0.8, train=0.8)
    runners = [runner("good", 0.8, 0.85, 0.87), runner("poor", 0.6, 0.7, 0.7)]

    sure, unsure = forecast(known, 1600, MANY), forecast(known, 1600, 15)

    assert sure is not None
    assert unsure is not None
    assert unsure.high - unsure.low > 0.2 > sure.high - sure.low
    assert list(stop_rule(Limits(), (), 800, MANY)(runners)) == ["poor"]
    assert stop_rule(Limits(), (), 800, 15)(runners) == {}
