"""A model that crashes is refused before it is loaded where requests are answered."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from ounce_edge.models.catalogue import Ladder, load_ladder
from ounce_edge.models.first_beliefs import START_UP_BATCH_SIZES
from ounce_edge.models.first_trial import first_trial
from ounce_edge.models.runtimes.apart_child import Child
from ounce_edge.models.runtimes.apart_process import Limits
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime

from tests.support.edge.bad_versions import (
    make_crashing,
    make_narrow,
    make_no_number,
    make_slow,
)


def reloaded(models: Path, serving: Ladder) -> Ladder:
    """What serves after the folder has changed."""
    runtime = OnnxCpuRuntime()
    with first_trial(1) as trial:
        return load_ladder(models, "digits", runtime, serving=serving, first_trial=trial)


@pytest.fixture
def models(digits_models: Path, tmp_path: Path) -> Path:
    """A folder of two models of digits."""
    for name in ("logistic-regression", "mlp"):
        shutil.copytree(digits_models / "digits" / name, tmp_path / "digits" / name)
    shutil.copy(digits_models / "digits" / "task.json", tmp_path / "digits")
    return tmp_path


def version_of(folder: Path) -> str:
    found: str = json.loads((folder / "card.json").read_text())["version"]
    return found


def test_a_version_that_crashes_is_refused_and_the_one_before_goes_on(models: Path) -> None:
    serving = load_ladder(models, "digits", OnnxCpuRuntime())
    good = version_of(models / "digits" / "mlp")
    make_crashing(models / "digits" / "mlp")
    after = reloaded(models, serving)
    assert {m.card.model: m.card.version for m in after.models}["mlp"] == good
    [refused] = after.refused
    assert refused.startswith("mlp: ")
    assert "took its process down: the process ended with signal 8" in refused


def test_one_that_answers_no_number_is_refused_with_its_reason(models: Path) -> None:
    serving = load_ladder(models, "digits", OnnxCpuRuntime())
    make_no_number(models / "digits" / "mlp")
    after = reloaded(models, serving)
    assert "not finite" in after.refused[0]


def test_one_that_is_only_slow_is_loaded(models: Path) -> None:
    serving = load_ladder(models, "digits", OnnxCpuRuntime())
    make_slow(models / "digits" / "mlp")
    after = reloaded(models, serving)
    assert after.refused == []
    assert {m.card.version for m in after.models} >= {version_of(models / "digits" / "mlp")}


def test_calls_are_no_larger_than_those_that_a_model_is_measured_with(models: Path) -> None:
    serving = load_ladder(models, "digits", OnnxCpuRuntime())
    make_narrow(models / "digits" / "mlp", max(START_UP_BATCH_SIZES))
    card_path = models / "digits" / "logistic-regression" / "card.json"
    make_narrow(card_path.parent, 8)
    card = json.loads(card_path.read_text())
    card["latency"]["batches"] = [b for b in card["latency"]["batches"] if b["batch_size"] <= 8]
    card_path.write_text(json.dumps(card))
    assert reloaded(models, serving).refused == []


def test_a_trial_has_as_much_time_as_a_load(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serving = load_ladder(models, "digits", OnnxCpuRuntime())
    make_slow(models / "digits" / "mlp")
    limits_s = list[float]()
    ask = Child.ask

    def note(child: Child, limit_s: float, *message: Any) -> Any:
        limits_s.append(limit_s)
        return ask(child, limit_s, *message)

    monkeypatch.setattr(Child, "ask", note)
    reloaded(models, serving)
    assert limits_s == [Limits.load_s]
