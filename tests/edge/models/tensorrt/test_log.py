"""TensorRT tells all threads' errors to one log: each thread reads its own."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from ounce_edge.models.runtimes.tensorrt.cuda import Cuda
from ounce_edge.models.runtimes.tensorrt.engine import EngineModel
from ounce_edge.models.runtimes.tensorrt.libraries import Flavour, TensorRt
from ounce_edge.models.runtimes.tensorrt.log import log_of
from ounce_schemas.errors import ArtifactError

from tests.support.tensorrt.fake_gpu import FakeGpu
from tests.support.tensorrt.fake_tensorrt import FakeTensorRt

_LIMIT_S = 60.0


class TwoAtOnce(FakeTensorRt):
    """Takes no engine, and says so of one only once it was given both."""

    def __init__(self) -> None:
        super().__init__(FakeGpu())
        self._given, self._told = threading.Barrier(2), threading.Barrier(2)

    def _deserialize(self, content: bytes) -> None:
        self._given.wait(_LIMIT_S)
        self._log.log(self.ILogger.ERROR, content.decode())
        self._told.wait(_LIMIT_S)


def test_two_loads_at_once_are_each_told_their_own_reason() -> None:
    trt = TwoAtOnce()
    tensorrt = TensorRt(Flavour.NATIVE, "10.3.0", trt)

    def reason_of(content: str) -> str:
        with pytest.raises(ArtifactError) as found:
            EngineModel(tensorrt, Cuda(trt.gpu), content.encode())
        return str(found.value).rpartition(": ")[2]

    reasons = ["of another version", "of another GPU"]
    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(reason_of, reasons)) == reasons


def test_each_error_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    trt = FakeTensorRt(FakeGpu())
    trt.failures["engine"] = ["why", "in general"]
    with caplog.at_level(logging.INFO), pytest.raises(ArtifactError, match=r"why$"):
        EngineModel(TensorRt(Flavour.NATIVE, "10.3.0", trt), Cuda(trt.gpu), b"content")
    assert caplog.messages == ["why", "in general"]


def test_a_thread_of_tensorrt_tells_whoever_calls_it() -> None:
    ilogger: Any = type("ILogger", (), {"ERROR": 1, "INTERNAL_ERROR": 0})
    log = log_of(SimpleNamespace(ILogger=ilogger))
    lines = log.lines
    thread = threading.Thread(target=log.log, args=(ilogger.ERROR, "why"))
    thread.start()
    thread.join()
    assert lines == ["why"]
