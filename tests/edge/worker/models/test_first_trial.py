"""A model that crashes is refused before it is loaded where requests are answered."""

import errno
import gc
import json
import logging
import os
import shutil
import signal
import weakref
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from ounce_edge.models.catalogue import Ladder, NotTriedError, ServedModel, load_ladder
from ounce_edge.models.first_beliefs import START_UP_BATCH_SIZES
from ounce_edge.models.first_trial import first_trial, made_calls
from ounce_edge.models.runtimes.apart_child import Child
from ounce_edge.models.runtimes.apart_process import Limits
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_edge.models.tried import Tried
from ounce_schemas.card import LatencyAtBatch
from ounce_schemas.documents import read_model_card, read_task
from ounce_schemas.errors import ArtifactError

from tests.support.edge.bad_versions import (
    make_crashing,
    make_explanation_crash,
    make_greedy,
    make_narrow,
    make_no_number,
    make_slow,
)


def reloaded(models: Path, serving: Ladder) -> Ladder:
    """What serves after the folder has changed."""
    runtime = OnnxCpuRuntime()
    with first_trial(1) as trial:
        return load_ladder(models, "digits", runtime, serving=serving, first_trial=trial)


def first_loaded(models: Path, tried: Tried | None = None) -> Ladder:
    """What a worker begins with."""
    with first_trial(1, tried, needs_process=False) as trial:
        return load_ladder(models, "digits", OnnxCpuRuntime(), first_trial=trial)


def explanation_of(ladder: Ladder) -> ServedModel | None:
    """Of the network."""
    [found] = [m.explained for m in ladder.models if m.card.model == "mlp"]
    return found


def files_tried(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Files that are tried from now on."""
    asked = list[str]()
    ask = Child.ask

    def note(child: Child, limit_s: float, *message: Any) -> Any:
        asked.extend(f"{p.parent.name}/{p.name}" for p in message if isinstance(p, Path))
        return ask(child, limit_s, *message)

    monkeypatch.setattr(Child, "ask", note)
    return asked


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


@pytest.mark.parametrize(
    ("batch_size", "p50_ms", "calls"),
    [
        (64, 1.0, (64, 4)),
        (256, 9.0, (64, 4)),
        (8, 0.1, (8, 32)),
        (1, 500.0, (1, 10)),
        (64, 1e6, (64, 1)),
    ],
)
def test_what_is_dear_answers_fewer_made_inputs(
    batch_size: int, p50_ms: float, calls: tuple[int, int]
) -> None:
    """An explanation may run its model for each part of each item, on a slow device."""
    largest = LatencyAtBatch(batch_size=batch_size, p50_ms=p50_ms, p99_ms=p50_ms)
    assert made_calls(largest) == calls


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


def test_an_explanation_that_crashes_is_refused_and_the_one_before_goes_on(models: Path) -> None:
    serving = load_ladder(models, "digits", OnnxCpuRuntime())
    make_explanation_crash(models / "digits" / "mlp")
    after = reloaded(models, serving)
    [refused] = after.refused
    assert refused.startswith("mlp explained: ")
    assert "took its process down: the process ended with signal 8" in refused
    good, kept = explanation_of(serving), explanation_of(after)
    assert good is not None
    assert kept is not None
    assert kept.loaded is good.loaded


def test_where_none_was_before_its_model_serves_without(models: Path) -> None:
    make_explanation_crash(models / "digits" / "mlp")
    after = first_loaded(models)
    assert [line.split(":")[0] for line in after.refused] == ["mlp explained"]
    assert after.n_refused == 0
    assert len(after.models) == 2
    assert explanation_of(after) is None


def test_a_trial_that_the_system_ends_says_nothing_of_the_model(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where memory is short, which ends the trial before the worker."""
    ask = Child.ask

    def kill(child: Child, limit_s: float, *message: Any) -> Any:
        if "mlp" in str(message[3:6]):
            assert child.pid is not None
            os.kill(child.pid, signal.SIGKILL)
        return ask(child, limit_s, *message)

    monkeypatch.setattr(Child, "ask", kill)
    after = first_loaded(models)
    assert [m.card.model for m in after.models] == ["logistic-regression"]
    [refused] = after.refused
    assert "ended with signal 9, as where memory is short: it is tried again" in refused
    assert not after.is_tried


def test_a_trial_that_wants_more_memory_than_is_free_says_nothing_either(models: Path) -> None:
    make_greedy(models / "digits" / "logistic-regression")
    after = first_loaded(models)
    [refused] = after.refused
    assert "wants more memory than is free: it is tried again" in refused
    assert not after.is_tried
    assert [m.card.model for m in after.models] == ["mlp"]
    shutil.rmtree(models / "digits" / "mlp")
    with pytest.raises(NotTriedError, match="no model can serve"):
        first_loaded(models)


def test_a_model_that_is_only_bad_is_refused_for_good(models: Path) -> None:
    make_crashing(models / "digits" / "mlp")
    after = first_loaded(models)
    assert (len(after.refused), after.n_refused, after.is_tried) == (1, 1, True)


def test_what_passed_is_not_tried_again_and_what_is_refused_is(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_crashing(models / "digits" / "mlp")
    tried = Tried(tmp_path / "tried", "onnxruntime-cpu 1")
    first, asked = first_loaded(models, tried), files_tried(monkeypatch)
    assert first_loaded(models, tried).refused == first.refused
    assert asked == ["mlp/model.onnx"]
    asked.clear()
    first_loaded(models, Tried(tmp_path / "tried", "onnxruntime-cpu 2"))
    others = ["logistic-regression/model.onnx", "logistic-regression/explanation.onnx"]
    assert asked == [*others, "mlp/model.onnx"]


@pytest.mark.parametrize("folder", ["file/tried", "x" * 300])  # whoever tests may be root
def test_a_folder_that_can_not_be_used_costs_the_trials_of_the_next_start_alone(
    models: Path, tmp_path: Path, folder: str
) -> None:
    (tmp_path / "file").touch()
    assert first_loaded(models, Tried(tmp_path / folder, "x")).refused == []


def test_where_there_can_be_no_process_models_wait_or_are_loaded_untried(
    models: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: Any) -> None:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(Child, "_start", fails)
    ladder = first_loaded(models)
    assert (len(ladder.models), ladder.is_tried) == (2, True)
    assert "is loaded untried: there can be no process to try it in" in caplog.text
    make_slow(models / "digits" / "mlp")
    after = reloaded(models, ladder)
    [refused] = after.refused
    assert "Resource temporarily unavailable" in refused
    assert not after.is_tried


def test_for_one_change_what_is_refused_is_tried_once(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_crashing(models / "digits" / "mlp")
    shutil.rmtree(models / "digits" / "logistic-regression")
    asked, why = files_tried(monkeypatch), list[str]()
    with first_trial(1) as trial:
        for _ in range(2):
            with pytest.raises(ArtifactError) as refused:
                load_ladder(models, "digits", OnnxCpuRuntime(), first_trial=trial)
            why.append(str(refused.value))
    assert asked == ["mlp/model.onnx"]
    assert why[0] == why[1]


def test_what_is_refused_leaves_nothing_in_memory(models: Path) -> None:
    """A worker that serves collects what refers to itself rarely."""
    folder = models / "digits" / "mlp"
    make_crashing(folder)
    task, path = read_task(models / "digits" / "task.json"), folder / "model.onnx"
    card = read_model_card(folder, task)
    gc.collect()
    gc.disable()
    logging.disable()  # pytest keeps records, and they the errors
    try:
        with first_trial(1) as trial, suppress(ArtifactError):
            trial(path, path.read_bytes(), task, card)
        gone = weakref.ref(trial)
        del trial
        assert gone() is None
    finally:
        logging.disable(logging.NOTSET)
        gc.enable()
