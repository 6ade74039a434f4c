"""`ounce engines` and `ounce runtimes`."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner, Result
from ounce_edge.models import engines_command as engines_command_module
from ounce_edge.models.engines_command import command as engines_command
from ounce_edge.models.runtimes import availability
from ounce_edge.models.runtimes.availability import Availability, check_runtimes
from ounce_edge.models.runtimes.tensorrt.cache import EngineCache, EngineKey
from ounce_edge.models.runtimes.tensorrt.cuda import Cuda
from ounce_edge.models.runtimes.tensorrt.libraries import Flavour, TensorRt
from ounce_edge.models.runtimes_command import command as runtimes_command
from ounce_exporters.export.artifacts import write_task
from ounce_exporters.ladder.building import build_ladder
from ounce_exporters.ladder.recipe import Recipe
from ounce_exporters.progress.reporters import Reporters
from ounce_exporters.tasks.digits import task as digits
from ounce_schemas.errors import ArtifactError, RuntimeAbsentError

from tests.support.networks import GraphModel, perceptron
from tests.support.tensorrt.fake_cuda import FakeCuda
from tests.support.tensorrt.rtx import rtx_or_skip


@pytest.fixture(scope="module")
def ladder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models: of digits a network and a tree."""
    data = digits.load(0)
    tree = next(r for r in digits.recipes(data) if r.name == "decision-tree")
    network = Recipe("mlp", "neural", "a network", lambda *_: GraphModel(perceptron()))
    models = tmp_path_factory.mktemp("models")
    write_task(models / "digits", data.spec, data.test)
    build_ladder(data, [network, tree], models, 0, Reporters())
    return models


def run(*words: object) -> Result:
    return CliRunner().invoke(engines_command, [str(word) for word in words])


@pytest.mark.rtx
def test_engines_are_built_listed_and_pruned(ladder: Path, tmp_path: Path) -> None:
    rtx_or_skip()
    models = Path(shutil.copytree(ladder, tmp_path / "models"))
    cache = ["--cache", tmp_path / "engines"]
    build = ["build", "digits", "--models", models, "--tensorrt", "tensorrt-rtx", *cache]
    first = run(*build)
    assert first.exit_code == 0, first.output
    lines = dict(line.split(": ", 1) for line in first.stdout.splitlines())
    assert lines["digits/mlp"].startswith("built in")
    assert "operator TreeEnsemble" in lines["digits/decision-tree"]
    assert lines["digits/decision-tree"].startswith("stays on the CPU: ")
    assert "digits/mlp: was there" in run(*build).stdout
    listed = run("list", *cache).stdout
    assert "digits/mlp  tensorrt-rtx " in listed
    assert "32/256 items" in listed
    assert run("prune", "--models", models, *cache).stdout == "0.0 MB freed\n"
    shutil.rmtree(models / "digits/mlp")
    assert run("prune", "--models", models, *cache).stdout != "0.0 MB freed\n"
    assert run("list", *cache).stdout == ""
    refused = run(*build)
    assert isinstance(refused.exception, ArtifactError)
    assert "has no engine of digits: the lines above say why" in str(refused.exception)


@pytest.mark.rtx
def test_a_file_that_is_not_its_cards_is_refused(ladder: Path, tmp_path: Path) -> None:
    rtx_or_skip()
    models = Path(shutil.copytree(ladder, tmp_path / "models"))
    (models / "digits/mlp/model.onnx").write_bytes(b"another")
    words = ["build", "digits", "--models", models, "--tensorrt", "tensorrt-rtx"]
    result = run(*words, "--cache", tmp_path / "engines")
    assert "is not the card's" in str(result.exception)


@pytest.mark.rtx
def test_a_task_that_is_not_there_is_named(tmp_path: Path) -> None:
    rtx_or_skip()
    words = ["build", "nothing", "--models", tmp_path, "--tensorrt", "tensorrt-rtx"]
    cache = ["--cache", tmp_path / "engines"]
    assert "no task.json there" in str(run(*words, *cache).exception)


@pytest.mark.parametrize(("most", "told"), [(256, "32/256"), (32, "32/32"), (1, "1/1")])
def test_the_list_says_how_many_items_an_engine_takes(tmp_path: Path, most: int, told: str) -> None:
    key = EngineKey("0" * 64, "tensorrt 10.3.0", "NVIDIA L4", "8.9", "12.6", 32, 256, "none")
    EngineCache(tmp_path / "engines").write(key, "photos/cnn", b"an engine", most)
    shown = run("list", "--cache", tmp_path / "engines").stdout
    assert f"photos/cnn  tensorrt 10.3.0  NVIDIA L4 8.9  {told} items  0.0 MB" in shown


def absent(flavour: Flavour) -> TensorRt:
    raise RuntimeAbsentError(f"{flavour}: not installed")


def test_what_is_absent_is_said_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(availability, "find_tensorrt", absent)
    lines = CliRunner().invoke(runtimes_command).stdout.splitlines()
    assert lines[0].startswith("onnxruntime-cpu ")
    assert lines[0].endswith(": runs models")
    assert lines[2] == "onnxruntime-cuda: can't be used"
    assert lines[4:] == [
        "tensorrt: can't be used",
        "  tensorrt: not installed",
        "tensorrt-rtx: can't be used",
        "  tensorrt-rtx: not installed",
    ]


def found_with(capability: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> list[Availability]:
    gpu = FakeCuda()
    major, minor = capability
    properties = type("Properties", (), {"name": b"GPU", "major": major, "minor": minor})
    gpu._answers["cudaGetDeviceProperties"] = properties
    monkeypatch.setattr(availability, "find_tensorrt", lambda f: TensorRt(f, "1.0", None))
    monkeypatch.setattr(availability, "find_cuda", lambda: Cuda(gpu))
    return [*check_runtimes()[2:]]


def test_a_gpu_that_rtx_does_not_know_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    native, rtx = found_with((9, 0), monkeypatch)
    assert (native.can_build, native.can_run) == (True, True)
    assert (rtx.can_build, rtx.can_run) == (True, False)
    assert "does not run on compute capability 9.0" in rtx.where
    native, rtx = found_with((8, 9), monkeypatch)
    assert native.can_run
    assert rtx.can_run


def test_a_cache_without_engines_says_how_they_are_made(tmp_path: Path) -> None:
    listed = run("list", "--cache", tmp_path / "engines")
    assert (listed.exit_code, listed.stdout) == (0, "")
    assert "no engines in " in listed.stderr
    assert "`ounce engines build TASK` makes them" in listed.stderr


def test_a_build_for_a_newer_cuda_than_the_drivers_does_not_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tensorrt_cu13_bindings-10.13.2.dist-info").mkdir()
    api = SimpleNamespace(__file__=str(tmp_path / "tensorrt" / "__init__.py"))
    found = TensorRt(Flavour.NATIVE, "10.13.2", api)
    monkeypatch.setattr(engines_command_module, "find_tensorrt", lambda flavour: found)
    monkeypatch.setattr(engines_command_module, "find_cuda", lambda: Cuda(FakeCuda()))
    result = run("build", "digits", "--models", tmp_path, "--cache", tmp_path / "engines")
    assert isinstance(result.exception, RuntimeAbsentError)
    assert "is for CUDA 13, and the driver for CUDA 12.6" in str(result.exception)
