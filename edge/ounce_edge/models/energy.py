"""Power that models draw, where the kernel measures it.

Linux gives the energy that a processor package has used since some time as a counter of microjoules
(running average power limit, RAPL: Documentation/power/powercap/powercap.rst). It is often readable
by root alone, and absent on virtual machines; then power is the policy's `power_watts`.
"""

import logging
import time
from pathlib import Path

from ounce_edge.models.catalogue import ServedModel
from ounce_edge.models.checks import sample_inputs

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


def measured_watts(model: ServedModel, meter: EnergyMeter) -> float | None:
    """Power that a model adds to an idle machine while it runs; None where nothing measures it."""
    if not meter.is_there:
        return None
    sample = sample_inputs(model.card.inputs, _BATCH)
    meter.joules()
    time.sleep(_SECONDS)
    idle_joules = meter.joules()
    start_s = time.perf_counter()
    while (took_s := time.perf_counter() - start_s) < _SECONDS:
        model.loaded.run(sample)
    watts = (meter.joules() - idle_joules * took_s / _SECONDS) / took_s
    logger.info("measured power model=%s watts=%.2f", model.card.model, watts)
    return watts if watts > 0 else None


def _is_readable(path: Path) -> bool:
    try:
        int(path.read_text())
    except (OSError, ValueError):
        return False
    return True
