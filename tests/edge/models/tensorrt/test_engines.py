"""Engines are built by another process, once; what happens to it is told."""

import logging
import os
import signal
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import onnx
import pytest
from ounce_edge.models.runtimes.tensorrt import engines
from ounce_edge.models.runtimes.tensorrt.batch_profile import BatchProfile
from ounce_edge.models.runtimes.tensorrt.building import FLAGS, BuildFailedError, Built
from ounce_edge.models.runtimes.tensorrt.cache import EngineCache
from ounce_edge.models.runtimes.tensorrt.device import ANY, Device
from ounce_edge.models.runtimes.tensorrt.engines import Target, build_apart, find_engine
from ounce_edge.models.runtimes.tensorrt.libraries import Flavour, TensorRt
from ounce_edge.models.runtimes.tensorrt.refusals import Refusal
from ounce_schemas.errors import ArtifactError

from tests.support.networks import perceptron
from tests.support.process.wait import is_running, wait_until
from tests.support.tensorrt.rtx import rtx_or_skip

FAKE = "tests.support.tensorrt.builders"
GPU = Device("NVIDIA L4", "8.9", "12.6")
TARGET = Target(TensorRt(Flavour.NATIVE, "10.3.0", None), GPU, BatchProfile(8, 64))
PATH = Path("models/digits/mlp/model.onnx")


@pytest.fixture(autouse=True)
def _builds_find_the_fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A build does not look for modules in the folder that it runs in."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))


def unheard(phase: str, share: float) -> None:
    pass


def test_an_engine_is_built_with_progress() -> None:
    seen: list[tuple[str, float]] = []
    built = build_apart(TARGET, b"good", lambda *said: seen.append(said), module=FAKE)
    assert built == Built(b"engine of good for 8/64 by tensorrt", 64)
    assert seen == [("building", 0.5)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"refuse", "^operator Strange: not known$"),
        (b"crash", "^the process that builds it ended with signal 11: silent$"),
        (b"fail", "^the process that builds it ended with exit code 1: x+ at the end$"),
    ],
)
def test_a_build_that_fails_is_told(content: bytes, message: str) -> None:
    with pytest.raises(ArtifactError, match=message):
        build_apart(TARGET, content, unheard, module=FAKE)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"end", "^{}: the process that builds it ended with signal 9: silent$"),
        (b"full", "^{}: its files can't be written: No space left on device$"),
    ],
)
def test_what_the_machine_does_is_not_kept_as_the_models_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, message: str
) -> None:
    monkeypatch.setattr(engines, "build_apart", partial(build_apart, module=FAKE))
    cache = EngineCache(tmp_path)
    with pytest.raises(BuildFailedError, match=message.format(PATH)):
        find_engine(cache, TARGET, PATH, content, unheard)
    assert cache.refusals.list() == []


NATIVE = """
class Log:
    ERROR, INTERNAL_ERROR = 1, 0

class Flag:
    STRONGLY_TYPED = 1

ILogger, NetworkDefinitionCreationFlag, __version__ = Log, Flag, "10.15.1.29"

def Builder(log):
    log.log(Log.ERROR, "createInferBuilder: CUDA initialization failure with error: 2")
    log.log(Log.ERROR, "Error Code 1: Cuda Runtime (In catchCudaError)")
    raise TypeError("pybind11::init(): factory function returned nullptr")
"""
"""TensorRT's bindings, where CUDA does not start."""


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (NATIVE, "^{}: tensorrt 10.15.1.29 does not start: createInferBuilder: .* error: 2$"),
        ("__version__ = '9.3.0'", "^{}: tensorrt: version 9.3.0 is installed; versions 10 and 11"),
    ],
)
def test_a_tensorrt_that_does_not_start_is_no_models_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, message: str
) -> None:
    (tmp_path / "tensorrt.py").write_text(module)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    cache = EngineCache(tmp_path / "engines")
    with pytest.raises(BuildFailedError, match=message.format(PATH)):
        find_engine(cache, TARGET, PATH, perceptron().SerializeToString(), unheard)
    assert cache.refusals.list() == []


def test_all_that_tensorrt_says_of_a_build_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "tensorrt.py").write_text(NATIVE)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    with caplog.at_level(logging.INFO), pytest.raises(BuildFailedError):
        build_apart(TARGET, b"model", unheard)
    [told] = caplog.messages
    assert "with error: 2 | Error Code 1: Cuda Runtime (In catchCudaError)" in told


def test_how_many_items_an_engine_takes_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "build_apart", partial(build_apart, module=FAKE))
    cache = EngineCache(tmp_path)
    for content in (b"good", b"large"):
        find_engine(cache, TARGET, PATH, content, unheard)
    assert {engine.most for engine in cache.list()} == {64, 1}


def test_a_build_that_hangs_is_ended() -> None:
    with pytest.raises(ArtifactError, match="takes longer than 1 s and was ended"):
        build_apart(TARGET, b"hang", unheard, limit_s=1, module=FAKE)


KILLED = """
import os, signal, tempfile
from pathlib import Path
from tests.edge.models.tensorrt.test_engines import FAKE, TARGET, build_apart

def progress(phase, share):
    if phase.isdigit():
        print(phase, *Path(tempfile.gettempdir()).glob("ounce-engine-*"), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

build_apart(TARGET, b"watch", progress, module=FAKE)
"""


def test_a_build_ends_with_whoever_wanted_it_and_has_no_files_to_leave(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED]
    places = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    wanted = subprocess.run(
        command, capture_output=True, text=True, env=places, check=False, timeout=120
    )
    assert wanted.returncode == -signal.SIGKILL, wanted.stderr
    wait_until(lambda: not is_running(int(wanted.stdout)), lambda: wanted.stdout)
    assert list(tmp_path.glob("ounce-engine-*")) == []


@pytest.mark.parametrize("name", ["subprocess.Popen", "tempfile.TemporaryFile"])
def test_a_machine_that_has_no_room_for_a_build_is_told(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(name, fail)
    with pytest.raises(BuildFailedError, match=r"^can't be built, by way of /.*: No space left"):
        build_apart(TARGET, b"good", unheard, module=FAKE)


def test_the_key_says_all_that_an_engine_depends_on() -> None:
    key = TARGET.key(b"model")
    assert (key.tensorrt, key.gpu, key.capability, key.driver, key.best, key.most, key.flags) == (
        "tensorrt 10.3.0", "NVIDIA L4", "8.9", "12.6", 8, 64, FLAGS
    )  # fmt: skip
    assert TARGET.key(b"another").digest != key.digest


def test_an_engine_is_built_once_and_again_where_it_is_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "build_apart", partial(build_apart, module=FAKE))
    cache = EngineCache(tmp_path)
    found = [find_engine(cache, TARGET, PATH, b"good", unheard) for _ in range(2)]
    assert [is_new for _, is_new in found] == [True, False]
    assert found[0][0] == found[1][0]
    [engine] = cache.list()
    assert engine.model == "digits/mlp"
    engine.path.write_bytes(engine.path.read_bytes()[:-1])
    assert find_engine(cache, TARGET, PATH, b"good", unheard) == (found[0][0], True)


def test_a_refusal_names_the_file_and_its_reason_alone_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "build_apart", partial(build_apart, module=FAKE))
    cache = EngineCache(tmp_path)
    with pytest.raises(ArtifactError, match=f"^{PATH}: operator Strange"):
        find_engine(cache, TARGET, PATH, b"refuse", unheard)
    assert cache.list() == []
    [kept] = cache.refusals.list()
    assert (kept.model, kept.reason) == ("digits/mlp", "operator Strange: not known")
    assert kept.key == TARGET.key(b"refuse")


def test_where_a_refusal_can_not_be_kept_its_reason_is_told_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "build_apart", partial(build_apart, module=FAKE))
    cache = EngineCache(tmp_path / "engines")
    (tmp_path / "engines").rmdir()
    with pytest.raises(ArtifactError, match=f"^{PATH}: operator Strange"):
        find_engine(cache, TARGET, PATH, b"refuse", unheard)


def test_a_build_that_does_forgets_why_it_did_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "build_apart", partial(build_apart, module=FAKE))
    cache = EngineCache(tmp_path)
    cache.refusals.keep(Refusal(TARGET.key(b"good"), "digits/mlp", "no room"))
    assert find_engine(cache, TARGET, PATH, b"good", unheard)[1]
    assert cache.refusals.list() == []


@pytest.mark.rtx
def test_weights_in_another_file_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = Target(rtx_or_skip(), ANY, BatchProfile(8, 64))
    path = tmp_path / "model.onnx"
    onnx.save_model(
        perceptron(), path, save_as_external_data=True, location="weights.bin", size_threshold=0
    )
    split = onnx.load(path, load_external_data=False)
    monkeypatch.chdir(tmp_path)  # where the parser would look
    with pytest.raises(ArtifactError, match=r"can't parse it: .*initializer"):
        build_apart(target, split.SerializeToString(), unheard)


@pytest.mark.rtx
def test_the_real_process_builds_and_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    target = Target(rtx_or_skip(), ANY, BatchProfile(8, 64))
    seen: list[str] = []
    content = perceptron().SerializeToString()
    built = build_apart(target, content, lambda phase, share: seen.append(phase))
    assert len(built.engine) > 10_000
    assert list(tmp_path.glob("ounce-engine-*")) == []
    assert seen
    with pytest.raises(ArtifactError, match=r"^tensorrt-rtx \S+ can't parse it"):
        build_apart(target, b"not a model", unheard)
