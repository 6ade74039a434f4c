"""CUDA's own library fails, since no device is visible: its process ends, and comes back."""

from functools import partial
from pathlib import Path

import pytest
from ounce_edge.models.runtimes.apart import ApartRuntime, Limits
from ounce_edge.models.runtimes.base import EngineAbsentError
from ounce_edge.models.runtimes.tensorrt.cache import EngineCache
from ounce_edge.models.runtimes.tensorrt.cuda import find_cuda
from ounce_edge.models.runtimes.tensorrt.device import Device, used_bytes
from ounce_edge.models.runtimes.tensorrt.engines import Target
from ounce_edge.models.runtimes.tensorrt.libraries import Flavour, TensorRt
from ounce_edge.models.runtimes.tensorrt.runtime import TensorRtRuntime

from tests.support.tensorrt.fake_runtime import PROFILE


class Asking(TensorRtRuntime):
    """Asks CUDA what is taken."""

    @property
    def used_bytes(self) -> int:
        return used_bytes(self.cuda)


def make(folder: Path) -> TensorRtRuntime:
    device = Device("a GPU", "8.9", "13.0")
    target = Target(TensorRt(Flavour.NATIVE, "10.3.0", None), device, PROFILE)
    return Asking(target, find_cuda(), EngineCache(folder))


@pytest.mark.rtx
def test_an_error_of_cuda_ends_the_process_and_the_next_load_starts_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("cuda.bindings.runtime")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    runtime = ApartRuntime(partial(make, tmp_path / "engines"), Limits(300, 300, 300))
    try:
        before = runtime.pid
        assert before is not None
        assert runtime.used_bytes == 0  # nobody can say
        assert runtime.pid is None
        with pytest.raises(EngineAbsentError, match="has no engine of tensorrt 10"):
            runtime.load(Path("models/digits/mlp/model.onnx"), b"model")
        assert runtime.pid not in (None, before)
        assert runtime._n_started == 2
    finally:
        runtime.close()
