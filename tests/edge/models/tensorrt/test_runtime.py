"""Which TensorRT is made, and for which GPU. CUDA and TensorRT are fakes."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from ounce_edge.models.runtime_choice import RuntimeChoice
from ounce_edge.models.runtimes import gpu_meters
from ounce_edge.models.runtimes.base import EngineAbsentError, kind_of
from ounce_edge.models.runtimes.tensorrt import runtime
from ounce_edge.models.runtimes.tensorrt.cuda import Cuda
from ounce_edge.models.runtimes.tensorrt.libraries import Flavour, TensorRt
from ounce_edge.models.runtimes.tensorrt.runtime import make_tensorrt
from ounce_schemas.errors import RuntimeAbsentError

from tests.support.tensorrt.fake_cuda import CudaCode, FakeCuda

PATH = Path("models/digits/mlp/model.onnx")


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What is found; a test may put another capability in."""
    found = SimpleNamespace(name=b"a GPU", major=8, minor=9)
    fake = FakeCuda(cudaGetDeviceProperties=found, cudaDeviceGetPCIBusId=b"0000:17:00.0")
    found.answers = fake._answers
    monkeypatch.setattr(runtime, "find_cuda", lambda: Cuda(fake))
    monkeypatch.setattr(gpu_meters, "find_gpu_energy", lambda bus_id: None)
    monkeypatch.setattr(
        runtime, "find_tensorrt", lambda flavour: TensorRt(flavour, "10.3.0", SimpleNamespace())
    )
    return found


@pytest.mark.parametrize(
    ("choice", "name", "build"),
    [
        (RuntimeChoice.TENSORRT, "tensorrt 10.3.0", "for a GPU; .*`ounce engines build digits`"),
        (RuntimeChoice.AUTO, "tensorrt 10.3.0", "for a GPU; .*`ounce engines build digits`"),
        (
            RuntimeChoice.TENSORRT_RTX,
            "tensorrt-rtx 10.3.0",
            "for any; .*`ounce engines build digits --tensorrt tensorrt-rtx`",
        ),
    ],
)
@pytest.mark.usefixtures("gpu")
def test_engines_are_of_the_library_that_was_chosen(
    choice: RuntimeChoice, name: str, build: str, tmp_path: Path
) -> None:
    assert choice.has_engines
    made = make_tensorrt(tmp_path, choice.flavour)
    assert (made.name, kind_of(made.name)) == (name, "tensorrt")
    with pytest.raises(EngineAbsentError, match=build):
        made.load(PATH, b"model")


def test_a_gpu_that_another_process_has_alone_is_told(gpu: SimpleNamespace, tmp_path: Path) -> None:
    gpu.answers["cudaMemGetInfo"] = CudaCode.cudaErrorDevicesUnavailable
    with pytest.raises(RuntimeAbsentError, match="another process has it alone"):
        make_tensorrt(tmp_path)


def test_a_gpu_that_is_on_no_bus_runs_models_and_counts_no_energy(
    gpu: SimpleNamespace, tmp_path: Path
) -> None:
    gpu.answers["cudaDeviceGetPCIBusId"] = CudaCode.cudaErrorInvalidValue
    made = make_tensorrt(tmp_path)
    assert (made.used_bytes, made.joules) == (4_000_000_000, None)


@pytest.mark.parametrize("capability", [(7, 5), (8, 7), (9, 0), (10, 0), (11, 0)])
def test_a_gpu_that_rtx_does_not_run_on_is_refused(
    gpu: SimpleNamespace, tmp_path: Path, capability: tuple[int, int]
) -> None:
    gpu.major, gpu.minor = capability
    assert make_tensorrt(tmp_path).name == "tensorrt 10.3.0"
    message = r"does not run on compute capability {}\.{}, but on .* --runtime tensorrt$"
    with pytest.raises(RuntimeAbsentError, match=message.format(*capability)):
        make_tensorrt(tmp_path, Flavour.RTX)


@pytest.mark.parametrize("capability", [(8, 0), (8, 6), (8, 9), (12, 0), (12, 1)])
def test_a_gpu_that_rtx_runs_on_is_taken(
    gpu: SimpleNamespace, tmp_path: Path, capability: tuple[int, int]
) -> None:
    gpu.major, gpu.minor = capability
    assert make_tensorrt(tmp_path, Flavour.RTX).name == "tensorrt-rtx 10.3.0"
