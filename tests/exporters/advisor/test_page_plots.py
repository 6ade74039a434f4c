"""The plots of advice: what a reader can tell from them."""

import re

import pytest
from ounce_exporters.advisor.page_plots import costs, costs_caption
from ounce_exporters.report.svg import LETTER, WIDTH
from ounce_schemas.advice import (
    Advice,
    Arm,
    Budget,
    CurvePoint,
    Decision,
    Limits,
    Measured,
    MeasuredModel,
    Plan,
    Verdict,
)
from ounce_schemas.card import AccuracyEstimate
from ounce_schemas.measure import Measure

from tests.support.exporters.advice import LOOK

TOOK_US = {"decision-tree": 9.0, "gradient-boosting-small": 13.6, "gradient-boosting": 13.0}


def advice(limits: Limits) -> Advice:
    """Three models of about the same accuracy; calls of 64 take ten times as long as of one."""
    accuracy = AccuracyEstimate(value=0.9, low=0.8, high=0.95, n=100)
    timed = tuple(
        MeasuredModel(model=name, batch_size=size, p50_ms=factor * us / 1e3, p99_ms=1)
        for name, us in TOOK_US.items()
        for size, factor in ((1, 1), (64, 10))
    )
    return Advice(
        task="t",
        measure=Measure(),
        seed=0,
        options={},
        data_sha256="0" * 64,
        limits=limits,
        look=LOOK,
        budget=Budget(given_s=1, planned_s=1, n_rows=100, rungs=(75,), n_folds=1),
        arms=tuple(
            Arm(
                model=name,
                family="classical",
                interpretable=False,
                curve=(CurvePoint(n_rows=75, train=1, validation=0.9),),
                accuracy=accuracy,
            )
            for name in TOOK_US
        ),
        decision=Decision(
            verdict=Verdict.CLASSICAL,
            plan=Plan(models=("decision-tree",), accuracy=accuracy, counted_ns=10),
        ),
        measured=Measured(machine="m", models=timed, race_s=1),
    )


def test_limits_are_explained_where_they_are_drawn() -> None:
    assert costs_caption(advice(Limits())).endswith(">advised</b>.")
    assert costs_caption(advice(Limits(max_latency_ms=1, min_accuracy=0.9))).endswith(
        "; dashed: the limit of time (less the room for noise) and of accuracy."
    )


@pytest.mark.parametrize("limit_ms", [1e-5, 0.02, 10.0], ids=["far-below", "near", "far-above"])
def test_every_name_is_inside_the_plot(limit_ms: float) -> None:
    svg = costs(advice(Limits(max_latency_ms=limit_ms)))
    found = re.findall(r'class="(tick|tick end)" x="([\d.]+)" y="[\d.]+">([a-z-]+)<', svg)
    assert {name for _, _, name in found} == set(TOOK_US)
    for style, at, name in found:
        width = LETTER * len(name)
        begin = float(at) - (width if style == "tick end" else 0)
        assert begin >= 0, name
        assert begin + width <= WIDTH, name


def test_of_models_as_accurate_the_slowest_has_its_name_beside_it() -> None:
    """Else a name would stand beside another model's dot."""
    svg = costs(advice(Limits()))
    dots = sorted(float(x) for x in re.findall(r'<circle [^>]*cx="([\d.]+)"', svg))
    beside = re.findall(r'class="tick" x="([\d.]+)" y="[\d.]+">([a-z-]+)<', svg)[0]
    assert beside[1] == "gradient-boosting-small"
    assert float(beside[0]) == pytest.approx(dots[-1] + 8, abs=0.2)


def test_the_limit_is_drawn_against_calls_of_its_batch() -> None:
    """A limit of 0.15 ms is between the tree's call and the others', with room for noise."""
    svg = costs(advice(Limits(max_latency_ms=0.15, batch=64)))

    assert "µs of a call of 64" in svg
    (line,) = re.findall(r'class="ideal" points="([\d.]+),', svg)
    tree, *others = sorted(float(x) for x in re.findall(r'<circle [^>]*cx="([\d.]+)"', svg))
    assert tree < float(line) < min(others)
