"""Why TensorRT did not do a thing: it answers None or False, and tells the reason to its log."""

from ounce_edge.models.runtimes.tensorrt.cuda import OUT_OF_MEMORY, Cuda, CudaError
from ounce_edge.models.runtimes.tensorrt.libraries import TensorRt
from ounce_edge.models.runtimes.tensorrt.log import first_line, log_of, tells_no_room


def failure(
    tensorrt: TensorRt, cuda: Cuda, what: str, kind: type[Exception] = RuntimeError
) -> Exception:
    """The error to raise. The log was cleared before, and no graph is captured.

    Args:
        tensorrt: failed.
        cuda: of the same process.
        what: it did not do.
        kind: of the error, where neither the GPU nor its memory is at fault.

    Returns:
        A `CudaError` where the GPU has too little memory; else one of `kind`.

    Raises:
        CudaError: the GPU is broken: nothing is said of the engine.
    """
    cuda.call("cudaMemGetInfo")
    lines = log_of(tensorrt.api).lines
    if tells_no_room(lines):
        return CudaError(tensorrt.name, OUT_OF_MEMORY, f"{what}: {first_line(lines)}")
    return kind(f"{tensorrt.name} {what}: {first_line(lines)}")
