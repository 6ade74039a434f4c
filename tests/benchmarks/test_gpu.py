"""Networks are measured on the CPU and on a GPU, each in its own process. The GPU is a fake."""

import multiprocessing
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from ounce_edge.models.runtimes import bounded_process
from ounce_edge.models.runtimes.bounded_process import BoundedProcess
from ounce_exporters.export.artifacts import write_task
from ounce_exporters.ladder.building import build_ladder
from ounce_exporters.ladder.recipe import Recipe
from ounce_exporters.progress.reporters import Reporters
from ounce_exporters.tasks.digits import task as digits
from ounce_schemas.documents import read_card

from benchmarks import gpu, results
from benchmarks.gpu import CPU, CUDA, NATIVE, RTX, Measured
from benchmarks.gpu_forms import make_forms, networks
from tests.support.networks import GraphModel, convolutional, perceptron
from tests.support.tensorrt.bad_makes import make_absent, make_broken, make_dead, make_hung
from tests.support.tensorrt.dry import make_tensorrt


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models: of digits two networks and a tree."""
    data = digits.load(0)
    tree = next(r for r in digits.recipes(data) if r.name == "decision-tree")
    networks = [
        Recipe(make.__name__, "neural", "a network", lambda *_, make=make: GraphModel(make()))
        for make in (perceptron, convolutional)
    ]
    models = tmp_path_factory.mktemp("models")
    write_task(models / "digits", data.spec, data.test)
    build_ladder(data, [*networks, tree], models, 0, Reporters())
    return models


def run(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, makes: dict[str, Any], *more: str
) -> Result:
    monkeypatch.setattr(gpu, "MAKES", makes)
    monkeypatch.setattr(gpu, "SECONDS", 0.02)
    monkeypatch.setattr(results, "UNPUBLISHED", tmp_path / "results")
    options = ["--models", str(models), "--cache", str(tmp_path / "engines"), *more]
    return CliRunner().invoke(gpu.main, options)


def test_each_model_is_measured_and_loaded_on_each(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    makes = {CPU: gpu.make_cpu, NATIVE: make_tensorrt, RTX: make_absent, CUDA: make_dead}
    result = run(models, tmp_path, monkeypatch, makes)
    assert result.exit_code == 0, result.output
    tables = results.read(tmp_path / "results" / "gpu.json").tables
    trained = ["digits/convolutional", "digits/perceptron"]
    forms = ["convolutional-fp16", "convolutional-int8-symmetric", "perceptron-fp16"]
    names = [*trained, *(f"digits/{form}" for form in forms)]
    assert [row[:2] for row in tables["gpu"].rows] == [[n, s] for n in names for s in gpu.SIZES]
    for row in tables["gpu"].rows:
        *times, share, rtx_ms, cuda_ms = row[2:]
        assert all(isinstance(ms, float) and ms > 0 for ms in times)
        assert str(share).endswith("%")
        assert (rtx_ms, cuda_ms) == (None, None)
    assert [row[:2] for row in tables["loads"].rows] == [[name, NATIVE] for name in names]
    assert tables["runtimes"].rows[1] == [
        NATIVE, "tensorrt 10.3.0", "a GPU, compute capability 8.9, driver for CUDA 13.0"
    ]  # fmt: skip
    assert tables["faults"].rows == [
        ["all", RTX, "no such GPU"],
        *([name, CUDA, "its process ended with exit code 7"] for name in names),
    ]


def test_results_are_there_before_the_last_model(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end_at_the_second(make: Any, cache: Path, file: Path) -> Measured:
        if file.parent.name == "perceptron":
            raise KeyboardInterrupt
        return Measured()

    monkeypatch.setattr(gpu, "measure_apart", end_at_the_second)
    run(models, tmp_path, monkeypatch, {CPU: gpu.make_cpu, NATIVE: make_tensorrt})
    rows = results.read(tmp_path / "results" / "gpu.json").tables["gpu"].rows
    assert {row[0] for row in rows} == {"digits/convolutional"}


def test_what_fails_or_hangs_is_told_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(gpu.FaultError, match=r"RuntimeError: the GPU is broken$"):
        gpu.measure_apart(make_broken, tmp_path, tmp_path)
    with pytest.raises(gpu.FaultError, match="takes longer than 1 s and was ended"):
        gpu.measure_apart(make_hung, tmp_path, tmp_path, limit_s=1)


def test_a_process_that_does_not_end_by_force_is_told_and_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as stuck:
        stuck.setattr(bounded_process, "END_S", 0.1)
        stuck.setattr(BoundedProcess, "kill", lambda _: None)  # as of what waits for a driver
        with pytest.raises(gpu.FaultError, match="takes longer than 1 s and was ended"):
            gpu.measure_apart(make_hung, tmp_path, tmp_path, limit_s=1)
    assert "hangs in a driver and does not end" in capfd.readouterr().err
    for left in multiprocessing.active_children():
        left.kill()


def test_what_has_not_begun_in_time_is_named(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run(models, tmp_path, monkeypatch, {NATIVE: make_tensorrt}, "--minutes", "0")
    assert "digits/perceptron on TensorRT: 0 minutes were over" in result.output
    rows = results.read(tmp_path / "results" / "gpu.json").tables["faults"].rows
    assert [row[0] for row in rows][:2] == ["digits/convolutional", "digits/perceptron"]


def test_forms_that_a_ladder_has_are_not_made_again(models: Path, tmp_path: Path) -> None:
    ladder = tmp_path / "models"
    shutil.copytree(models, ladder)
    made = list(make_forms(networks(ladder), tmp_path / "forms"))
    shutil.move(made[0].parent, ladder / "digits")
    cards = networks(ladder)
    assert [path.parent.name for path in cards] == [
        "convolutional", "perceptron", "convolutional-fp16"
    ]  # fmt: skip
    again = list(make_forms(cards, tmp_path / "again"))
    assert [path.parent.name for path in again] == [path.parent.name for path in made[1:]]
    assert [read_card(path).model for path in again] == [path.parent.name for path in again]


def test_a_machine_without_a_gpu_is_told(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measured(make: Any, cache: Path, file: Path) -> Measured:
        if make is make_absent:
            raise gpu.AbsentError("no such GPU")
        return Measured()

    monkeypatch.setattr(gpu, "measure_apart", measured)
    result = run(models, tmp_path, monkeypatch, {CPU: gpu.make_cpu, NATIVE: make_absent})
    assert result.exit_code == 1
    assert "digits/convolutional on TensorRT: no such GPU" in result.stdout
    assert result.stderr == ("Error: nothing was measured on a GPU: the lines above say why\n")
