"""ONNX Runtime with CUDA is there, or said to be absent. Nothing goes to the CPU in silence."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import onnxruntime as ort
import pytest
from ounce_edge.models.runtimes.base import kind_of
from ounce_edge.models.runtimes.onnx_cuda import OnnxCudaRuntime
from ounce_schemas.errors import ArtifactError, RuntimeAbsentError

PROVIDER = "CUDAExecutionProvider"


def with_providers(names: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ort, "get_available_providers", lambda: names)


def test_an_onnx_runtime_without_cuda_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with_providers(["CPUExecutionProvider"], monkeypatch)
    with pytest.raises(RuntimeAbsentError, match=r"without CUDA; install onnxruntime-gpu"):
        OnnxCudaRuntime()


def test_policies_call_it_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    with_providers([PROVIDER], monkeypatch)
    assert kind_of(OnnxCudaRuntime().name) == "cuda"


def test_a_session_that_went_to_the_cpu_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with_providers([PROVIDER], monkeypatch)
    asked: dict[str, Any] = {}

    def session(content: bytes, options: Any, providers: list[str]) -> SimpleNamespace:
        key = "session.disable_cpu_ep_fallback"
        asked.update(providers=providers, fallback=options.get_session_config_entry(key))
        return SimpleNamespace(get_providers=lambda: ["CPUExecutionProvider"])

    monkeypatch.setattr(ort, "InferenceSession", session)
    with pytest.raises(
        ArtifactError, match=r"m\.onnx: ONNX Runtime can't run it with CUDAExecution"
    ):
        OnnxCudaRuntime().load(Path("m.onnx"), b"model")
    assert asked == {"providers": [PROVIDER], "fallback": "1"}
