"""`ounce advise` from end to end, on tables of few rows."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ounce_exporters.advisor import advising, exporting, race
from ounce_exporters.ladder.recipe import Recipe
from ounce_schemas.advice import MeasuredModel, Verdict
from ounce_schemas.device import DeviceCard, ReferenceTimes
from ounce_schemas.documents import read_advice

from tests.support.process.command import Run

SMALL = ("--budget", "2")
"""Work for a few light models."""


def test_a_folder_without_images_is_refused(ounce: Run, tmp_path: Path) -> None:
    (tmp_path / "flowers").mkdir()

    told = ounce("advise", "--data", tmp_path / "flowers")

    assert told.code == 1
    assert "flowers has no folder with PNG or JPEG files" in told.stderr


def test_training_refuses_advice_of_other_rows(ounce: Run, pumps: Path, tmp_path: Path) -> None:
    out = tmp_path / "advice.json"
    assert ounce("advise", "--data", pumps, "--target", "state", *SMALL, "--out", out).code == 0
    fewer = tmp_path / "pumps.csv"
    fewer.write_text("\n".join(pumps.read_text().splitlines()[:200]) + "\n")

    refused = ounce("train", "--advice", out, "--data", fewer, "--models", tmp_path / "models")
    beside = ounce("train", "--advice", out, "--seed", "3")

    assert refused.code == 1
    assert "the advice is of other rows" in refused.stderr
    assert beside.code == 2
    assert "--seed: --advice says that" in beside.stderr


def test_ctrl_c_gives_the_advice_so_far(
    ounce: Run, pumps: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = race._run
    runs = 0

    def interrupted(*arguments: object) -> None:
        nonlocal runs
        runs += 1
        if runs == 3:
            raise KeyboardInterrupt
        whole(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(race, "_run", interrupted)
    out = tmp_path / "advice.json"

    told = ounce("advise", "--data", pumps, "--target", "state", *SMALL, "--out", out)

    assert told.code == 0, told.stderr
    assert "Interrupted" in told.stdout
    advice = read_advice(out)
    assert advice.interrupted
    assert sum(bool(arm.curve) for arm in advice.arms) == 2
    page = out.with_suffix(".html").read_text()
    assert "Interrupted" in page
    assert "Accuracy against cost" in page
    assert "<ol><li><b>" in page
    assert "<code>--from</code>" in page
    assert "http" not in page.replace("http-equiv", "")


def test_ctrl_c_compares_models_of_equal_rows(
    ounce: Run, pumps: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the second point the last kind of model has not had its turn."""
    whole = race._run
    learned: list[str] = []

    def interrupted(runner: race.Runner, *rest: Any) -> None:
        if learned.count(runner.recipe.name) and learned.count(learned[0]) > 1:
            raise KeyboardInterrupt
        learned.append(runner.recipe.name)
        whole(runner, *rest)

    monkeypatch.setattr(race, "_run", interrupted)
    out = tmp_path / "advice.json"

    told = ounce("advise", "--data", pumps, "--target", "state", *SMALL, "--out", out)

    assert told.code == 0, told.stderr
    arms = [arm for arm in read_advice(out).arms if arm.accuracy is not None]
    assert len(arms) > 1
    assert {len(arm.curve) for arm in arms} == {1}
    assert "Ctrl-C; what it has is exported and measured" in told.stderr + told.stdout
    assert "the advice rests on models of " in " ".join(told.stdout.split())


def test_a_model_that_fails_costs_only_itself(
    ounce: Run, pumps: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first: list[str] = []

    def failing(runner: race.Runner, *arguments: object) -> None:
        def fit(*_: object) -> None:
            raise ValueError("no luck")

        recipe: Recipe = runner.recipe
        if not first:
            first.append(recipe.name)
        if recipe.name == first[0]:
            runner.recipe = Recipe(recipe.name, recipe.family, recipe.algorithm, fit)  # type: ignore[arg-type]
        whole(runner, *arguments)  # type: ignore[arg-type]

    whole = race._run
    monkeypatch.setattr(race, "_run", failing)
    out = tmp_path / "advice.json"

    assert ounce("advise", "--data", pumps, "--target", "state", *SMALL, "--out", out).code == 0

    arm = next(arm for arm in read_advice(out).arms if arm.model == first[0])
    assert arm.stopped == "failed: ValueError: no luck"


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("--budget", "0.1"), 1, "--budget 0.1: too small for a race of two models"),
        (("--batch", "0"), 2, "batch"),
        (("--target", "nope"), 1, "nope"),
        (("--min-accuracy", "95"), 2, "min_accuracy"),
        (("--device", "no-card.json"), 1, "no-card.json: can't be read"),
    ],
)
def test_what_can_not_be_asked_is_one_clear_line(
    ounce: Run, pumps: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, text: str
) -> None:
    out = tmp_path / "advice.json"
    told = ounce("advise", "--data", pumps, "--target", "state", "--out", out, *arguments)

    assert told.code == code
    assert text in told.stderr
    assert not out.exists()


def card(times: float) -> DeviceCard:
    """Of a machine on which everything takes so many times as long."""
    return DeviceCard(
        host="pi-7",
        processor="Cortex-A72",
        runtime="onnxruntime-cpu 1.30.0",
        reference=ReferenceTimes(
            call_us=4 * times, matrix_us=30 * times, trees_us=80 * times, convolution_us=100 * times
        ),
    )


def test_a_slower_device_gets_another_plan(
    ounce: Run, pumps: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure(finalists: list[exporting.Exported], *_: object) -> list[MeasuredModel]:
        names = [finalist.recipe.name for finalist in finalists]
        took_ms = {name: 0.01 if name == "logistic-regression" else 0.04 for name in names}
        return [
            MeasuredModel(model=name, batch_size=1, p50_ms=ms, p99_ms=ms)
            for name, ms in took_ms.items()
        ]

    monkeypatch.setattr(advising, "measure", measure)
    monkeypatch.setattr(exporting, "measure_device", lambda _: card(1))
    out, path = tmp_path / "advice.json", tmp_path / "card.json"
    asked = ("advise", "--data", pumps, "--target", "state", *SMALL, "--out", out)

    plans, models = [], []
    for times in (1, 2):
        path.write_text(card(times).model_dump_json())
        told = ounce(*asked, "--device", path, "--max-latency-ms", "0.06")
        assert told.code == 0, told.stderr
        advice = read_advice(out)
        assert advice.decision.plan is not None
        plans.append(advice.decision.plan.models)
        models.append({m.model: m.p50_ms for m in advice.measured.serving})

    # Under a limit smaller forms race, too.
    known = {arm.model for arm in advice.arms} | set(advice.budget.left_out)
    assert {"gradient-boosting-small", "random-forest-small", "mlp-small"} <= known
    assert plans[0] != plans[1]
    assert plans[1] == ("logistic-regression",)
    assert models[1] == {name: pytest.approx(2 * ms) for name, ms in models[0].items()}
    assert "device: latencies are those of pi-7 (Cortex-A72, onnxruntime-cpu 1.30.0)" in told.stdout


def test_a_constant_target_is_refused(ounce: Run, tmp_path: Path) -> None:
    path = tmp_path / "still.csv"
    pd.DataFrame({"a": range(100), "b": [1.5] * 100}).to_csv(path, index=False)

    for kind in ("classification", "regression"):
        told = ounce("advise", "--data", path, "--target", "b", "--kind", kind)
        assert told.code == 1
        assert "'b'" in told.stderr or "constant" in told.stderr


def test_fifty_rows_of_noise_are_neither_yet(ounce: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    path, out = tmp_path / "noise.csv", tmp_path / "advice.json"
    pd.DataFrame({"a": rng.normal(size=50), "b": rng.choice(["x", "y"], 50)}).to_csv(
        path, index=False
    )

    told = ounce("advise", "--data", path, "--target", "b", *SMALL, "--out", out)

    assert told.code == 0, told.stderr
    assert read_advice(out).decision.verdict is Verdict.NEITHER_YET
    said = " ".join(told.stdout.split())
    assert "Why not: nothing is clearly better than a constant answer" in said
    for word in ("Nearest plan", "Runner-up", "advised", "build it with"):
        assert word not in said
    assert '<tr class="advised">' not in out.with_suffix(".html").read_text()


def test_what_a_constant_answer_always_gets_right_is_neither_yet(
    ounce: Run, tmp_path: Path
) -> None:
    rng = np.random.default_rng(1)
    path, out = tmp_path / "heat.csv", tmp_path / "advice.json"
    heat = rng.normal(size=60)
    pd.DataFrame({"a": heat, "b": heat + rng.normal(size=60)}).to_csv(path, index=False)

    told = ounce(
        "advise", "--data", path, "--target", "b", "--tolerance", "9", *SMALL, "--out", out
    )

    assert told.code == 0, told.stderr
    assert read_advice(out).decision.verdict is Verdict.NEITHER_YET
    said = " ".join(told.stdout.split())
    assert "nothing is clearly better than a constant answer, which reaches 1.0000: the" in said
    assert "; a smaller --tolerance asks more of a model" in said
    trained = ounce("train", "--advice", out, "--models", tmp_path / "models")
    assert trained.code == 0, trained.stderr
    note = "Note: the advice is to build nothing yet; this is the nearest plan: nothing is "
    assert note in " ".join(trained.stdout.split())
