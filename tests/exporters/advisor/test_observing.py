"""What recorded decisions say of a ladder."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from ounce_edge.evidence.decided import Decided
from ounce_edge.evidence.decision_log import DecisionLog
from ounce_edge.evidence.decision_reader import read_decisions
from ounce_edge.recommender.beliefs.accuracy import AccuracyPrior
from ounce_edge.recommender.beliefs.latency import LatencyBelief
from ounce_edge.recommender.beliefs.plan_beliefs import Plans
from ounce_edge.recommender.beliefs.plans import Model, Plan, PlanStep
from ounce_edge.recommender.rule.decision import decide
from ounce_exporters.advisor.command import command
from ounce_exporters.advisor.observing import Observed, next_training, observe
from ounce_schemas.routing import Fallback, Objective

from tests.support.edge.decisions import header_of

FALLBACK = Fallback.MOST_ACCURATE_IN_TIME


def record(folder: Path, messages: list[tuple[float, float]], *more: Plan, wrong: int = 0) -> None:
    """Decide and record: milliseconds left and floor of each message.

    Args:
        folder: to record in.
        messages: time and floor.
        more: plans beside the two models.
        wrong: labels that said that the light model was wrong.
    """
    models = [
        Model("light", 10, LatencyBelief([1, 64], [0.1, 1.0], [0.2, 1.5])),
        Model("heavy", 99, LatencyBelief([1, 64], [5.0, 20.0], [6.0, 25.0])),
    ]
    plans = Plans(
        models,
        [
            Plan("light", [PlanStep(0)], AccuracyPrior(0.9, 0.88, 0.92, 1000)),
            Plan("heavy", [PlanStep(1)], AccuracyPrior(0.99, 0.98, 1.0, 1000)),
            *more,
        ],
        Objective.CPU_TIME,
    )
    plans.accuracy.observe_labels(0, 0, wrong, 0.0)
    plans.renew_state(0.0)
    log = DecisionLog(folder, header_of(plans.tables, FALLBACK))
    for number, (left_ms, floor) in enumerate(messages):
        one = np.array([left_ms]), np.array([floor])
        schedule = decide(plans.view(0.0), *one, FALLBACK)
        answered = [(group.items, [b'"%d"' % number]) for group in schedule.groups]
        log.record(1e12 + number, Decided(plans.state, *one, schedule), answered)
    log.close()


def test_a_model_that_never_answers_is_named(tmp_path: Path) -> None:
    record(tmp_path, [(100, 0.8)] * 5)

    found = observe(read_decisions(tmp_path, "digits"))

    assert found.answers == {"light": 5, "heavy": 0}
    assert found.idle_models == ("heavy",)
    assert next_training(found) == ["heavy never answers: take it out, or lower what it costs"]


def test_floors_that_nothing_meets_and_times_that_are_too_short_are_told_apart(
    tmp_path: Path,
) -> None:
    record(tmp_path, [(100, 0.8), (100, 0.95), (100, 0.999), (1, 0.95)])

    found = observe(read_decisions(tmp_path, "digits"))
    accurate, light = next_training(found)

    assert found.unmet == {0.999: 1}
    assert found.late == 1
    assert found.late_ms == pytest.approx(1, abs=0.01)
    assert "floors up to 0.999" in accurate
    assert "--max-latency-ms 1" in light


def test_a_long_time_is_told_without_an_exponent() -> None:
    found = Observed({"heavy": 100}, (), {}, 50, 1234.5, 0, {})

    [line] = next_training(found)

    assert "(median 1,234 ms left)" in line
    assert line.endswith("ounce advise --max-latency-ms 1234")


def test_labels_lower_what_a_model_is_sure_of(tmp_path: Path) -> None:
    record(tmp_path, [(100, 0.8)] * 5, wrong=500)

    found = observe(read_decisions(tmp_path, "digits"))

    assert found.sure["light"] < 0.8
    assert found.answers["light"] == 0


def test_a_model_that_only_answers_what_others_hand_over_is_not_idle(tmp_path: Path) -> None:
    cascade = Plan(
        "light>heavy@0.9",
        [PlanStep(0, threshold=0.9), PlanStep(1, reach=0.1)],
        AccuracyPrior(0.97, 0.96, 0.98, 1000),
    )
    record(tmp_path, [(100, 0.95)] * 5, cascade)

    found = observe(read_decisions(tmp_path, "digits"))

    assert found.answers["light>heavy@0.9"] == 5
    assert found.idle_models == ()


def test_what_was_late_before_it_was_read_asks_for_no_lighter_model(tmp_path: Path) -> None:
    record(tmp_path, [(100, 0.8), (100, 0.95), (-600_000, 0.95), (-5, 0.8)])

    found = observe(read_decisions(tmp_path, "digits"))

    assert (found.past, found.late) == (2, 0)
    (line,) = next_training(found)
    assert line.startswith("2 of 4 messages were past their deadline before the worker had them")


def test_the_command_reads_a_folder(tmp_path: Path) -> None:
    record(tmp_path, [(100, 0.8), (100, 0.95)])

    told = CliRunner().invoke(command, ["--observe", str(tmp_path), "--task", "digits"])
    absent = CliRunner().invoke(command, ["--observe", str(tmp_path)])

    assert told.exit_code == 0, told.output
    assert "nothing to train" in told.output
    assert "--task" in absent.output
