"""What a runtime on the GPU tells of its energy and memory."""

from collections.abc import Callable
from contextlib import suppress

from ounce_edge.models.runtimes.gpu_energy import find_gpu_energy
from ounce_edge.models.runtimes.gpu_memory import find_own_memory
from ounce_edge.models.runtimes.tensorrt.cuda import Cuda, CudaError
from ounce_edge.models.runtimes.tensorrt.device import bus_id_of


class GpuMeters:
    """Finds what measures the first GPU.

    Args:
        cuda: says where it is; without it nothing is found.
    """

    def __init__(self, cuda: Cuda | None = None) -> None:
        self._read_joules: Callable[[], float] | None = None
        self._read_own_bytes: Callable[[], int] | None = None
        if cuda is not None:
            with suppress(CudaError):  # a GPU that is on no bus
                bus_id = bus_id_of(cuda)
                self._read_joules = find_gpu_energy(bus_id)
                self._read_own_bytes = find_own_memory(bus_id)

    @property
    def joules(self) -> float | None:
        """Energy that the GPU has used since some time; None where nothing measures it."""
        return None if self._read_joules is None else self._read_joules()

    @property
    def own_bytes(self) -> int | None:
        """Memory of the GPU that this process has; 0 where the driver does not say it now, None
        where it never does."""
        return None if self._read_own_bytes is None else self._read_own_bytes()
