"""TensorRT's runtime keeps what a runtime promises, on fakes of CUDA and TensorRT. Engines are ONNX
files. Texts as categories are nothing for it."""

from pathlib import Path

import pytest
from ounce_edge.models.runtimes.tensorrt.libraries import Flavour
from ounce_edge.models.runtimes.tensorrt.runtime import TensorRtRuntime
from ounce_schemas.errors import ArtifactError
from ounce_schemas.task import TaskSpec

from tests.contracts.runtimes.contract import RuntimeContract
from tests.contracts.runtimes.test_onnx_cpu import classifier
from tests.support.edge.ladders import DIGITS
from tests.support.tensorrt.fake_runtime import make_fake


class TestTensorRtRuntime(RuntimeContract):
    """Batches up to 64, so that larger ones take several calls."""

    tasks = (DIGITS,)
    flavour = Flavour.NATIVE
    build = "ounce engines build digits`"

    @pytest.fixture(autouse=True)
    def _place(self, tmp_path: Path) -> None:
        self._folder = tmp_path / "engines"

    def runtime(self) -> TensorRtRuntime:
        return make_fake(self._folder, self.content(DIGITS), flavour=self.flavour)

    def content(self, task: TaskSpec) -> bytes:
        return bytes(classifier().SerializeToString())

    def test_a_model_without_an_engine_is_refused_with_what_to_do(self) -> None:
        message = rf"m.onnx: has no engine of {self.flavour} 10.3.0 for a GPU; .*{self.build}"
        with pytest.raises(ArtifactError, match=message):
            self.runtime().load(Path("models/digits/mlp/m.onnx"), b"another")


class TestTensorRtForRtx(TestTensorRtRuntime):
    """Its engines are others."""

    flavour = Flavour.RTX
    build = "ounce engines build digits --tensorrt tensorrt-rtx`"
