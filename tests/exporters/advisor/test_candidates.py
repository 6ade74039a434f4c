"""What a plan answers to the rows that judged, made up."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ounce_exporters.advisor.candidates import decide_among, plan_answers
from ounce_exporters.advisor.exporting import Exported
from ounce_exporters.advisor.race import Raced
from ounce_exporters.evaluation.figures import accepted
from ounce_exporters.ladder.recipe import Recipe, Split, TaskData
from ounce_schemas.advice import Limits, MeasuredModel, Verdict
from ounce_schemas.task import TaskSpec, TensorSpec

N = 400
SPEC = TaskSpec(
    name="t",
    kind="classification",
    description="t",
    inputs=(TensorSpec(name="input", datatype="FP32", shape=(1,)),),
    labels=("a", "b"),
)


def exported(
    name: str, confidence: NDArray[np.float64], truth: NDArray[np.int64], counted_ns: float
) -> Exported:
    """Right where its confidence in the true class is above a half."""

    def fit(*_: Any) -> Any:
        raise AssertionError("nothing is fitted")

    answers = np.empty((N, 2), np.float32)
    answers[np.arange(N), truth] = confidence
    answers[np.arange(N), 1 - truth] = 1 - confidence
    return Exported(Recipe(name, "classical", "", fit), b"x", counted_ns, answers, (answers,), 1)


def judged(truth: NDArray[np.int64]) -> tuple[TaskData, Raced]:
    rows = Split({"input": np.zeros((N, 1), np.float32)}, truth)
    data = TaskData(SPEC, "none", rows, rows, rows, "0" * 64)
    return data, Raced([], rows, np.arange(N), interrupted=False)


def timed(*finalists: Exported) -> list[MeasuredModel]:
    names = [finalist.recipe.name for finalist in finalists]
    return [MeasuredModel(model=name, batch_size=1, p50_ms=1, p99_ms=1) for name in names]


def test_a_cascade_answers_as_it_was_judged() -> None:
    truth = np.arange(N) % 2
    light = exported("light", np.linspace(0.45, 1.0, N), truth, 10)
    finalists = [light, exported("heavy", np.full(N, 0.95), truth, 1e7)]

    decision = decide_among(*judged(truth), finalists, timed(*finalists), Limits(), 0.0)

    assert decision.verdict is Verdict.CASCADE
    assert decision.plan is not None
    right = accepted(SPEC, plan_answers(decision.plan, finalists), truth)
    assert right.mean() == decision.plan.accuracy.value
    assert right.mean() > accepted(SPEC, light.answers, truth).mean()


def test_a_single_model_answers_itself() -> None:
    truth = np.arange(N) % 2
    light = exported("light", np.linspace(0.45, 1.0, N), truth, 10)

    plan = decide_among(*judged(truth), [light], timed(light), Limits(), 0.0).plan

    assert plan is not None
    assert plan_answers(plan, [light]) is light.answers


def test_a_limit_of_size_is_held_against_the_file_of_all_rows() -> None:
    """The file of the sample weighs a byte."""
    truth = np.arange(N) % 2
    grown = replace(exported("forest", np.full(N, 0.95), truth, 10), size_bytes=2_000_000)

    decision = decide_among(*judged(truth), [grown], timed(grown), Limits(max_size_mb=1), 0.0)

    assert decision.verdict is Verdict.NEITHER_YET
    assert decision.missed == ("--max-size-mb 1: 2 MB are needed",)
