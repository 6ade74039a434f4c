"""The arithmetic of a fleet's report."""

import io

import msgspec
import numpy as np
import pytest
from ounce_schemas.routing import Choice
from ounce_services.devices.latencies import LatencyHistogram, quantile_ms
from ounce_services.devices.report import (
    Accuracy,
    FleetReport,
    FloorReport,
    Phase,
    Verdict,
)
from ounce_services.devices.summary import print_summary, share
from ounce_services.devices.tallies import AnswerTallies, Judgement
from rich.console import Console

from tests.services.fake_worker import make_prediction
from tests.services.reports import make_task_report


def test_tallies_split_by_model_floor_and_deadline() -> None:
    tallies = AnswerTallies()
    tallies.add(make_prediction("a", cost_ms=1, saved_ms=9), Judgement(True), 5)
    lighter = make_prediction("b", cost_ms=3, saved_ms=7, expected_accuracy=0.85)
    tallies.add(lighter, Judgement(False), 150)
    tallies.add(
        make_prediction(
            "c",
            model="heavy",
            cost_ms=10,
            saved_ms=0,
            min_accuracy=0.999,
            floor_met=False,
            max_latency_ms=1000,
            expected_accuracy=0.98,
            reason=Choice.FALLBACK_MOST_ACCURATE_IN_TIME,
        ),
        Judgement(True),
        900,
    )
    assert list(tallies.models()) == ["light", "heavy"]  # as promised: 0.90 and 0.98
    light = tallies.models()["light"]
    assert (light.cost_ms, light.accuracy.seen) == (2, 0.5)
    assert light.accuracy.promised == pytest.approx(0.9)
    assert (tallies.spent_ms, tallies.always_best_ms, tallies.fallbacks) == (14, 30, 1)
    ordinary, unreachable = tallies.floors()
    assert (ordinary.labelled_met.answered, ordinary.labelled_missed.answered) == (2, 0)
    assert unreachable.verdict is Verdict.NOTHING_PROMISED
    assert unreachable.labelled_missed == Accuracy(1, 1, 0.98)
    strict, loose = tallies.deadlines()
    assert (strict.answered, strict.kept_as_measured, strict.kept_as_labelled) == (2, 1, 2)
    assert loose.kept_as_measured == 1


@pytest.mark.parametrize(
    ("correct", "answered", "verdict"),
    [
        (95, 100, Verdict.KEPT),
        (86, 100, Verdict.WITHIN_SAMPLING_ERROR),
        (8600, 10_000, Verdict.BROKEN),
        (0, 0, Verdict.NOTHING_PROMISED),
    ],
)
def test_verdict_allows_for_sampling(correct: int, answered: int, verdict: Verdict) -> None:
    floor = FloorReport(0.9, Accuracy(answered, correct, 0.92), Accuracy())
    assert floor.verdict is verdict


def test_quantiles_are_close_to_exact_ones() -> None:
    values = np.random.default_rng(0).lognormal(1.5, 0.7, 5000)
    histogram = LatencyHistogram()
    for value in values:
        histogram.add(float(value))
    for q in (0.5, 0.99):
        assert quantile_ms(histogram.counts, q) == pytest.approx(np.quantile(values, q), rel=0.03)
    assert quantile_ms([0] * 10, 0.5) == 0


def test_extreme_latencies_count_at_the_ends() -> None:
    histogram = LatencyHistogram()
    histogram.add(0.0)
    histogram.add(1e9)
    assert (histogram.counts[0], histogram.counts[-1]) == (1, 1)


def test_unanswered_counts_all_but_refusals() -> None:
    task = make_task_report(waiting=2, undelivered=1, dead_letters={"refused": 5, "too-large": 3})
    assert task.unanswered == 6
    report = FleetReport(1.0, Phase.DONE, False, {"a": task, "b": make_task_report()})
    assert report.unanswered == 6
    assert report.savings_factor == report.always_best_ms / report.spent_ms == 10


def test_report_survives_its_file_format() -> None:
    report = FleetReport(1.5, Phase.SENDING, True, {"toy": make_task_report()})
    line = msgspec.json.encode(report)
    assert b"\n" not in line
    assert msgspec.json.decode(line, type=FleetReport) == report


def test_shares_never_round_up_to_all() -> None:
    assert [share(1, 1), share(99_999, 100_000), share(1, 3), share(0, 0)] == [
        "100.0%",
        "99.9%",
        "33.3%",
        "–",
    ]


def test_summary_names_what_went_wrong() -> None:
    console = Console(width=120, record=True, force_terminal=False)
    task = make_task_report(waiting=7, repeated=3, dead_letters={"model-failed": 2})
    print_summary(FleetReport(1.0, Phase.DONE, False, {"toy": task}), console)
    text = console.export_text()
    for expected in ("missing 7", "repeated 3", "model-failed 2", "light", "within sampling error"):
        assert expected in text


def test_where_nothing_came_back_the_summary_says_what_to_do() -> None:
    console = Console(width=80, record=True, file=io.StringIO())
    task = make_task_report(answered=0, waiting=2_999, sent=2_999, labels=4_000)
    print_summary(FleetReport(1.0, Phase.DONE, False, {"toy": task}), console)
    assert console.export_text().strip().splitlines() == [
        "toy",
        "sent 2,999 · answered 0 · missing 2,999 · repeated 0 · dead letters 0 · labels 4,000",
        "Nothing came back: run `ounce worker --task toy`.",
    ]
