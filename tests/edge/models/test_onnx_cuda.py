"""ONNX Runtime with CUDA is there, or said to be absent. Nothing goes to the CPU in silence."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from ounce_edge.models.runtimes import gpu_meters, onnx_cuda
from ounce_edge.models.runtimes.base import LoadedModel, kind_of
from ounce_edge.models.runtimes.onnx_cuda import OnnxCudaRuntime
from ounce_edge.models.runtimes.tensorrt.cuda import Cuda, CudaError
from ounce_schemas.errors import ArtifactError, RuntimeAbsentError

from tests.support.tensorrt.fake_cuda import CudaCode, FakeCuda

PROVIDER = "CUDAExecutionProvider"


def with_providers(names: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ort, "get_available_providers", lambda: names)


def test_an_onnx_runtime_without_cuda_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with_providers(["CPUExecutionProvider"], monkeypatch)
    with pytest.raises(
        RuntimeAbsentError, match=r"without CUDA; .* \"onnxruntime-gpu\[cuda,cudnn\]"
    ):
        OnnxCudaRuntime()


def test_policies_call_it_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    with_providers([PROVIDER], monkeypatch)
    assert kind_of(OnnxCudaRuntime().name) == "cuda"


def test_a_session_that_went_to_the_cpu_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with_providers([PROVIDER], monkeypatch)
    asked: dict[str, Any] = {}

    def session(
        content: bytes, options: Any, providers: list[Any], enable_fallback: int
    ) -> SimpleNamespace:
        assert enable_fallback == 0
        key = "session.disable_cpu_ep_fallback"
        [(name, own)] = providers
        asked.update(own, provider=name, fallback=options.get_session_config_entry(key))
        return SimpleNamespace(get_providers=lambda: ["CPUExecutionProvider"])

    monkeypatch.setattr(ort, "InferenceSession", session)
    with pytest.raises(
        ArtifactError, match=r"m\.onnx: ONNX Runtime can't run it with CUDAExecution"
    ):
        OnnxCudaRuntime().load(Path("m.onnx"), b"model")
    assert (asked["provider"], asked["fallback"]) == (PROVIDER, "1")
    assert asked["use_tf32"] == "0"
    assert asked["cudnn_conv_algo_search"] == "HEURISTIC"


def failing(text: str, monkeypatch: pytest.MonkeyPatch, after: int = 1) -> LoadedModel:
    """A model whose calls fail so, after so many that don't."""
    shapes = []

    def run(names: list[str], inputs: Any) -> Any:
        shapes.append(inputs["input"].shape)
        if len(shapes) > after:
            raise RuntimeError(text)
        return [inputs["input"]]

    tensor = SimpleNamespace(name="input", type="tensor(float)", shape=["n", 4])
    session = SimpleNamespace(
        get_providers=lambda: [PROVIDER],
        get_inputs=lambda: [tensor],
        get_outputs=lambda: [tensor],
        run=run,
    )
    with_providers([PROVIDER], monkeypatch)
    monkeypatch.setattr(ort, "InferenceSession", lambda *given, **named: session)
    model = OnnxCudaRuntime().load(Path("m.onnx"), b"model")
    assert shapes == [(1, 4)]  # the load makes the first call
    return model


def test_a_library_that_is_absent_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_providers([PROVIDER], monkeypatch)
    library = tmp_path / "capi/libonnxruntime_providers_cuda.so"
    library.parent.mkdir()
    library.write_bytes(b"no library")
    monkeypatch.setattr(ort, "__file__", str(tmp_path / "__init__.py"))
    with pytest.raises(RuntimeAbsentError, match=r"providers_cuda\.so: .*\[cuda,cudnn\]"):
        OnnxCudaRuntime()


@pytest.mark.parametrize(
    ("text", "has_no_room"),
    [
        ("CUDA failure 2: out of memory ; GPU=0", True),
        ("BFCArena: Failed to allocate memory for requested buffer of size 9", True),
        ("CUDA failure 100: no CUDA-capable device is detected ; GPU=-1", False),
    ],
)
def test_a_gpu_that_makes_no_session_is_told_and_the_model_is_not_refused(
    text: str, has_no_room: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def session(*given: Any, **named: Any) -> Any:
        raise RuntimeError(text)

    with_providers([PROVIDER], monkeypatch)
    monkeypatch.setattr(ort, "InferenceSession", session)
    with pytest.raises(CudaError, match=text) as found:
        OnnxCudaRuntime().load(Path("m.onnx"), b"model")
    assert (found.value.is_out_of_memory, found.value.is_sticky) == (has_no_room, not has_no_room)


def test_a_gpu_that_is_found_broken_by_a_load_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CudaError, match="CUDA failure 700") as found:
        failing("CUDA failure 700: an illegal memory access ; GPU=0", monkeypatch, after=0)
    assert found.value.is_sticky


def test_a_model_that_takes_no_zeros_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RuntimeError, match="no zeros"):
        failing("no zeros", monkeypatch, after=0).run({"input": np.ones((1, 4), np.float32)})


def test_an_error_after_which_cuda_does_nothing_more_is_told_as_such(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    inputs = {"input": np.zeros((1, 4), np.float32)}
    text = "[ONNXRuntimeError] : 1 : FAIL : CUDA failure 700: an illegal memory access ; GPU=0"
    with pytest.raises(CudaError, match="CUDA failure 700") as found:
        failing(text, monkeypatch).run(inputs)
    assert found.value.is_sticky
    for text in ("CUDA failure 2: out of memory ; GPU=0", "Got invalid dimensions for input"):
        with pytest.raises(RuntimeError, match=text):
            failing(text, monkeypatch).run(inputs)


def test_memory_and_energy_are_told_where_they_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent() -> Any:
        raise RuntimeAbsentError("no cuda-bindings")

    with_providers([PROVIDER], monkeypatch)
    monkeypatch.setattr(onnx_cuda, "find_cuda", absent)
    runtime = OnnxCudaRuntime()
    assert (runtime.used_bytes, runtime.joules) == (0, None)
    fake = FakeCuda(cudaMemGetInfo=(30, 100), cudaDeviceGetPCIBusId=b"0000:17:00.0\0")
    monkeypatch.setattr(onnx_cuda, "find_cuda", lambda: Cuda(fake))
    monkeypatch.setattr(gpu_meters, "find_gpu_energy", lambda bus_id: lambda: 7.5)
    runtime = OnnxCudaRuntime()
    assert (runtime.used_bytes, runtime.joules) == (70, 7.5)


def test_a_gpu_that_is_not_visible_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with_providers([PROVIDER], monkeypatch)
    fake = FakeCuda(cudaMemGetInfo=CudaCode["cudaErrorNoDevice"])
    monkeypatch.setattr(onnx_cuda, "find_cuda", lambda: Cuda(fake))
    with pytest.raises(RuntimeAbsentError, match=r"no GPU can be used: .*CUDA_VISIBLE_DEVICES"):
        OnnxCudaRuntime()


def test_bindings_for_a_newer_cuda_than_the_drivers_are_not_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with_providers([PROVIDER], monkeypatch)
    fake = FakeCuda(cudaMemGetInfo=CudaCode["cudaErrorInsufficientDriver"])
    monkeypatch.setattr(onnx_cuda, "find_cuda", lambda: Cuda(fake))
    runtime = OnnxCudaRuntime()
    assert (runtime.used_bytes, runtime.joules) == (0, None)
