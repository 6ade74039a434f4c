"""Beliefs, power and the GPU's own clock, through the process that runs it. The GPU is a fake."""

import logging
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from ounce_edge.models.cpu_and_gpu import CpuAndGpu
from ounce_edge.models.energy import EnergyMeter, GpuMeter, make_meters, measured_watts
from ounce_edge.models.first_beliefs import _gpu_percentiles, measured_belief
from ounce_edge.models.runtimes import gpu_energy, gpu_memory
from ounce_edge.models.runtimes.apart import ApartError, ApartRuntime, Limits
from ounce_edge.models.runtimes.fake import FakeModel, FakeRuntime
from ounce_edge.models.runtimes.gpu_energy import find_gpu_energy
from ounce_edge.models.runtimes.gpu_memory import find_own_memory
from ounce_edge.models.runtimes.tensorrt.cuda import Cuda
from ounce_edge.models.runtimes.tensorrt.device import bus_id_of

from tests.contracts.runtimes.test_onnx_cpu import classifier
from tests.support.edge import bad_runtime as bad
from tests.support.edge.ladders import DIGITS, served
from tests.support.tensorrt.fake_cuda import FakeCuda
from tests.support.tensorrt.fake_runtime import make_fake

CONTENT = bytes(classifier().SerializeToString())
PATH = Path("models/digits/model/model.onnx")
OWN = Path("/proc/self/ns/pid")


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[ApartRuntime]:
    made = partial(make_fake, tmp_path / "engines", CONTENT)
    runtime = ApartRuntime(made, Limits(300, 300, 300))
    yield runtime
    runtime.close()


def test_each_batch_size_is_measured_on_the_gpu_beside_its_own_clock(
    apart: ApartRuntime, caplog: pytest.LogCaptureFixture
) -> None:
    loaded = apart.load(PATH, CONTENT)
    assert apart.joules is None  # nothing measures a fake
    model = replace(served(DIGITS, "a"), loaded=loaded, runtime="tensorrt")
    sizes = [b.batch_size for b in model.card.latency.batches]
    with caplog.at_level(logging.INFO):
        belief = measured_belief(model)
    assert belief is not None
    lines = [line for line in caplog.messages if line.startswith("measured on the GPU")]
    assert len(lines) == len(sizes)
    slowest_ms = 0.0  # a belief never falls with the size
    for n, line in zip(sizes, lines, strict=True):
        gpu_ms = f"{1 + 0.1 * min(2 ** int(np.ceil(np.log2(n))), 64):.3f}"
        assert f" items={n} " in line
        assert f" gpu_p50_ms={gpu_ms} gpu_p99_ms={gpu_ms}" in line
        slowest_ms = max(slowest_ms, float(line.partition(" p50_ms=")[2].split()[0]))
        assert belief.median_ms(n) == pytest.approx(slowest_ms, abs=0.001)


def test_a_gpu_that_fails_while_it_is_measured_costs_no_start(
    caplog: pytest.LogCaptureFixture,
) -> None:
    runtime = ApartRuntime(bad.BadRuntime)
    model = replace(served(DIGITS, "a"), loaded=runtime.load(PATH, b"one"), runtime="tensorrt")
    with pytest.raises(ApartError, match="exit code 4"):
        runtime.load(PATH, b"crash")
    assert measured_belief(model) is None
    runtime.close()
    assert "not measured, what its card says of the CPU counts model=digits/a: " in caplog.text


class Slow(FakeModel):
    """A model on a GPU whose calls take 4 ms each, and whose own clock is asked."""

    def __init__(self) -> None:
        super().__init__(DIGITS)
        self.together: list[int] = []

    def gpu_times_ms(self, n_items: int, n_calls: int) -> list[float]:
        self.together.append(n_calls)
        return [4.0] * n_calls


def test_other_models_do_not_wait_for_all_calls_of_the_gpus_clock() -> None:
    slow = Slow()
    assert _gpu_percentiles(slow, 8, 4.0) == (4.0, 4.0)
    assert (sum(slow.together), max(slow.together)) == (50, 2)
    assert _gpu_percentiles(slow, 8, 1e6) == (4.0, 4.0)


class Nvml(ModuleType):
    """The package `pynvml`."""

    def __init__(self, error: str = "", mig: int | None = 0) -> None:
        super().__init__("pynvml")
        self.millijoules, self.bus_id, self._error = 5_000, "", error
        self._mig = mig
        self.NVMLError = OSError
        self.NVML_DEVICE_MIG_ENABLE = 1
        self.nvmlInit = lambda: None
        self.nvmlDeviceGetHandleByPciBusId = self._find
        self.nvmlDeviceGetTotalEnergyConsumption = self._consumed
        self.nvmlDeviceGetMigMode = self._modes
        self.nvmlDeviceGetComputeRunningProcesses_v3 = self._running
        self.processes: list[tuple[int, int | None]] = []
        """Number and memory of each."""

    def _running(self, handle: str) -> list[SimpleNamespace]:
        assert handle == "handle"
        if self._error:
            raise OSError(self._error)
        return [SimpleNamespace(pid=pid, usedGpuMemory=n) for pid, n in self.processes]

    def _find(self, bus_id: str) -> str:
        self.bus_id = bus_id
        return "handle"

    def _consumed(self, handle: str) -> int:
        assert handle == "handle"
        if self._error:
            raise OSError(self._error)
        return self.millijoules

    def _modes(self, handle: str) -> list[int]:
        if self._mig is None:
            raise OSError("Not Supported")
        return [self._mig, 0]


@pytest.mark.parametrize("mig", [None, 0])
def test_the_gpus_energy_is_read_in_joules(
    mig: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    nvml = Nvml(mig=mig)
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    read = find_gpu_energy("0000:17:00.0")
    assert read is not None
    assert (read(), nvml.bus_id) == (5.0, "0000:17:00.0")
    nvml.millijoules = 7_500
    assert read() == 7.5


@pytest.mark.parametrize("nvml", [None, Nvml("Not Supported"), Nvml(mig=1)])
def test_a_gpu_that_nothing_measures_has_no_energy(
    nvml: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    assert find_gpu_energy("0000:17:00.0") is None


def test_the_memory_of_this_process_is_told_from_that_of_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nvml = Nvml()
    monkeypatch.setattr(gpu_memory, "_MACHINES_NAMESPACE", OWN.stat().st_ino)
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    nvml.processes = [(1, 900), (os.getpid(), 70), (os.getpid(), 7)]  # of two instances
    read = find_own_memory("0000:17:00.0")
    assert read is not None
    assert (read(), nvml.bus_id) == (77, "0000:17:00.0")
    nvml.processes = []
    assert read() == 0
    nvml._error = "Unknown Error"
    assert read() == 0


@pytest.mark.parametrize("processes", [[], [(1, 900)], [(os.getpid(), 0)], [(os.getpid(), None)]])
def test_memory_that_the_driver_does_not_tell_by_process_is_not_read(
    processes: list[tuple[int, int | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    nvml = Nvml()
    nvml.processes = processes
    monkeypatch.setattr(gpu_memory, "_MACHINES_NAMESPACE", OWN.stat().st_ino)
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    assert find_own_memory("0000:17:00.0") is None


def test_a_number_in_a_container_may_be_that_of_another_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nvml = Nvml()
    nvml.processes = [(os.getpid(), 70)]
    monkeypatch.setattr(gpu_memory, "_MACHINES_NAMESPACE", OWN.stat().st_ino + 1)
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    assert find_own_memory("0000:17:00.0") is None


def test_the_package_has_the_names_that_are_used() -> None:
    nvml = pytest.importorskip("pynvml")
    names = [name for name in vars(Nvml()) if name.startswith(("nvml", "NVML"))]
    assert [name for name in names if not hasattr(nvml, name)] == []


def test_a_library_that_lacks_a_function_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml = pytest.importorskip("pynvml")
    monkeypatch.setattr(nvml, "nvmlLib", object())  # as Jetson's, which has few of them
    monkeypatch.setattr(nvml, "_nvmlGetFunctionPointer_cache", {})
    for module in (gpu_energy, gpu_memory):
        monkeypatch.setattr(module, "find_nvml", lambda bus_id: (nvml, "handle"))
    monkeypatch.setattr(gpu_memory, "_MACHINES_NAMESPACE", OWN.stat().st_ino)
    assert find_own_memory("0000:17:00.0") is None
    assert find_gpu_energy("0000:17:00.0") is None


def test_an_old_package_of_the_same_name_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's Python may have one, and a Jetson's environment sees its packages."""
    nvml = Nvml()
    nvml.processes = [(os.getpid(), 70)]
    del nvml.nvmlDeviceGetComputeRunningProcesses_v3
    monkeypatch.setattr(gpu_memory, "_MACHINES_NAMESPACE", OWN.stat().st_ino)
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    assert find_own_memory("0000:17:00.0") is None
    assert find_gpu_energy("0000:17:00.0") is None


def test_the_place_of_the_gpu_is_cudas() -> None:
    assert bus_id_of(Cuda(FakeCuda(cudaDeviceGetPCIBusId=b"0000:17:00.0\0\0"))) == "0000:17:00.0"


class Time:
    """Passes as it is told; the GPU draws 20 W, and 50 W while a model runs."""

    def __init__(self) -> None:
        self.now_s = self.joules = 0.0

    def pass_by(self, seconds: float, watts: float) -> None:
        self.now_s += seconds
        self.joules += watts * seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Time:
    time = Time()
    monkeypatch.setattr("ounce_edge.models.energy.time.sleep", lambda s: time.pass_by(s, 20.0))
    monkeypatch.setattr("ounce_edge.models.energy.time.perf_counter", lambda: time.now_s)
    return time


def running(clock: Time) -> Callable[[Any], Any]:
    def run(inputs: Any) -> Any:
        clock.pass_by(0.01, 50.0)
        return np.full((len(inputs["input"]), 3), 1 / 3, np.float32)

    return run


def test_power_on_the_gpu_is_what_a_model_adds_there(clock: Time, tmp_path: Path) -> None:
    on_gpu = replace(served(DIGITS, "a", running(clock)), runtime="tensorrt")
    both = CpuAndGpu(FakeRuntime({}), FakeRuntime({}), lambda: clock.joules)
    assert make_meters(both).watts(on_gpu) == pytest.approx(30.0, rel=0.01)
    processor = SimpleNamespace(joules=lambda: 1.5)  # of each of the two spans: the same
    meter = GpuMeter(lambda: clock.joules, processor)  # type: ignore[arg-type]
    assert measured_watts(on_gpu, meter) == pytest.approx(30.0, rel=0.01)


def test_power_that_is_not_measured_is_not_the_processors(clock: Time, tmp_path: Path) -> None:
    on_gpu = replace(served(DIGITS, "a", running(clock)), runtime="cuda")
    both = CpuAndGpu(FakeRuntime({}), FakeRuntime({}))
    assert make_meters(both).watts(on_gpu) is None
    assert make_meters(FakeRuntime({})).watts(on_gpu) is None
    assert clock.now_s == 0.0


def test_a_gpu_that_goes_down_meanwhile_costs_the_measurement_alone(
    clock: Time, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    on_gpu = replace(served(DIGITS, "a", running(clock)), runtime="tensorrt")
    readings = iter([1.0, 2.0, None])
    meter = GpuMeter(lambda: next(readings), EnergyMeter(tmp_path))
    assert measured_watts(on_gpu, meter) is None
    assert "power of a is not measured: the GPU's energy can't be read" in caplog.text
