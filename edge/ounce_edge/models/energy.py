"""Power that models draw, where the kernel measures it.

Linux gives the energy that a processor package has used since some time as a counter of microjoules
(running average power limit, RAPL: Documentation/power/powercap/powercap.rst). It is often readable
by root alone, and absent on virtual machines; then power is the policy's `power_watts`. An NVIDIA
GPU counts its own energy, which the process that runs it reads.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ounce_edge.models.catalogue import ServedModel
from ounce_edge.models.checks import sample_inputs
from ounce_edge.models.cpu_and_gpu import CpuAndGpu
from ounce_edge.models.runtimes.base import GPU_KINDS, Runtime

logger = logging.getLogger(__name__)

POWERCAP = Path("/sys/class/powercap")
_SECONDS = 0.3
"""The counter moves every millisecond; a model and an idle machine are watched for so long."""
_BATCH = 32


class EnergyMeter:
    """Reads the counters of all processor packages.

    Args:
        folder: where the kernel has them.
    """

    def __init__(self, folder: Path = POWERCAP) -> None:
        self._counters = [
            (zone / "energy_uj", int((zone / "max_energy_range_uj").read_text()))
            for zone in sorted(folder.glob("intel-rapl:[0-9]*"))
            if zone.name.count(":") == 1 and _is_readable(zone / "energy_uj")
        ]
        self._before = self._read()

    @property
    def is_there(self) -> bool:
        """Whether the kernel measures energy, and lets this process read it."""
        return bool(self._counters)

    def joules(self) -> float:
        """Energy since the last call."""
        now = self._read()
        # A counter that has reached its end begins again at 0.
        spent = [
            (after - before) % (most + 1)
            for after, before, (_, most) in zip(now, self._before, self._counters, strict=True)
        ]
        self._before = now
        return sum(spent) / 1e6

    def _read(self) -> list[int]:
        return [int(path.read_text()) for path, _ in self._counters]


class GpuMeter:
    """Reads the counter of a GPU, and those of the processor that feeds it.

    Args:
        read_joules: the GPU's; None where nothing measures it.
        processor: where it is measured, too.
    """

    def __init__(self, read_joules: Callable[[], float | None], processor: EnergyMeter) -> None:
        self._read, self._processor = read_joules, processor
        self._before = read_joules()

    @property
    def is_there(self) -> bool:
        """Whether the GPU is measured: the processor alone would say too little."""
        return self._before is not None

    def joules(self) -> float:
        """Energy since the last call.

        Raises:
            RuntimeError: the GPU's process is down.
        """
        before, self._before = self._before, self._read()
        if before is None or self._before is None:
            raise RuntimeError("the GPU's energy can't be read")
        return self._before - before + self._processor.joules()


@dataclass(frozen=True)
class Meters:
    """What measures power.

    Attributes:
        processor: of models on the CPU.
        gpu: of those on the GPU.
    """

    processor: EnergyMeter
    gpu: GpuMeter | None = None

    def watts(self, model: ServedModel) -> float | None:
        """Power that a model adds to an idle machine; None where nothing measures it."""
        meter = self.gpu if model.runtime in GPU_KINDS else self.processor
        return None if meter is None else measured_watts(model, meter)


def make_meters(runtime: Runtime) -> Meters:
    """What measures the power of a runtime's models."""
    processor = EnergyMeter()
    if not isinstance(runtime, CpuAndGpu):
        return Meters(processor)
    return Meters(processor, GpuMeter(runtime.gpu_joules, processor))


def measured_watts(model: ServedModel, meter: EnergyMeter | GpuMeter) -> float | None:
    """Power that a model adds to an idle machine while it runs; None where nothing measures it."""
    if not meter.is_there:
        return None
    sample = sample_inputs(model.card.inputs, _BATCH)
    try:
        meter.joules()
        time.sleep(_SECONDS)
        idle_joules = meter.joules()
        start_s = time.perf_counter()
        while (took_s := time.perf_counter() - start_s) < _SECONDS:
            model.loaded.run(sample)
        watts = (meter.joules() - idle_joules * took_s / _SECONDS) / took_s
    except RuntimeError as e:
        logger.warning("power of %s is not measured: %s", model.card.model, e)
        return None
    logger.info("measured power model=%s watts=%.2f", model.card.model, watts)
    return watts if watts > 0 else None


def _is_readable(path: Path) -> bool:
    try:
        int(path.read_text())
    except (OSError, ValueError):
        return False
    return True
