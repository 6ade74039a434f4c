"""Building: an ONNX file becomes an engine of one GPU, in this very process.

It takes seconds to minutes, so that `engines` has it done by another process.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ounce_schemas.errors import ArtifactError, RuntimeAbsentError

from ounce_edge.models.runtimes.tensorrt.batch_profile import BatchProfile
from ounce_edge.models.runtimes.tensorrt.cuda import CudaError, find_cuda
from ounce_edge.models.runtimes.tensorrt.libraries import TensorRt
from ounce_edge.models.runtimes.tensorrt.log import (
    first_line,
    last_line,
    log_of,
    short,
    tells_no_room,
)

WORKSPACE_BYTES = 1 << 30
"""Scratch memory that an engine may take on the GPU."""
FLAGS_WHERE_KNOWN = ("STRICT_NANS", "REQUIRE_USER_ALLOCATION")
"""A missing value stays one; and, of TensorRT for RTX, all memory is ours, as graphs need."""
FLAGS = f"strongly-typed no-tf32 workspace={WORKSPACE_BYTES} {' '.join(FLAGS_WHERE_KNOWN)}"
"""All that a build does the same for every model, as a text for the cache."""
MOST_REASONS = 3
"""Operators that a refusal names."""
_IN_WORDS = {
    "^false$": "TensorRT does not take it",
    "Plugin not found": "TensorRT does not know it",
    "Failed to convert ONNX date type": "TensorRT takes no input of such a type, as texts are",
    "shiftIsAllZeros": "TensorRT takes no zero points; take the form int8-symmetric",
}
"""Patterns of what the parser says in code, and how people are told it."""

Progress = Callable[[str, float], None]
"""Called with what is built, and the share of it that is done, in [0, 1]."""


class Built(NamedTuple):
    """An engine, and how many items it takes in a call."""

    engine: bytes
    most: int


class BuildFailedError(ArtifactError):
    """A build that this machine did not let end. It says nothing of the model."""


def build_engine(
    tensorrt: TensorRt,
    content: bytes,
    profile: BatchProfile,
    progress: Progress | None = None,
) -> Built:
    """Build an engine. Types are those of the file: FP32 stays FP32, without TF32's rounding.

    Where a network's intermediate results take too much scratch memory for the most items, the
    engine takes fewer in a call.

    Args:
        tensorrt: builds it.
        content: all of the ONNX file.
        profile: of its batch dimension.
        progress: told how far it is.

    Raises:
        BuildFailedError: TensorRT does not start, or the GPU has too little memory left.
        ArtifactError: the parser refuses a part of the model, or nothing can be built of it; the
            message has TensorRT's reason.
    """
    builder, network, _parser = parse(tensorrt, content)
    lines = log_of(tensorrt.api).lines
    for some in (profile, *profile.lighter):
        config = _configure(tensorrt, builder, progress)
        _add_profile(tensorrt, builder, network, config, some)
        lines.clear()
        engine = builder.build_serialized_network(network, config)
        if engine is not None:
            return Built(bytes(engine), some.most)
    why = f"{tensorrt.name} can't build it: {last_line(lines)}"
    if tells_no_room(lines) or _lacks_room():
        raise BuildFailedError(f"{why}; the GPU has too little memory left")
    raise ArtifactError(why)


def _lacks_room() -> bool:
    """Whether the GPU has less memory left than an engine may take: TensorRT then passes over what
    needs more, warns of that, and at last says only that it knows nothing for a node."""
    try:
        free_bytes, _ = find_cuda().call("cudaMemGetInfo")
    except (RuntimeAbsentError, CudaError):  # TensorRT for RTX builds without a GPU
        return False
    return bool(free_bytes < WORKSPACE_BYTES)


def _configure(tensorrt: TensorRt, builder: Any, progress: Progress | None) -> Any:
    trt = tensorrt.api
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, WORKSPACE_BYTES)
    config.clear_flag(trt.BuilderFlag.TF32)
    for name in FLAGS_WHERE_KNOWN:
        if name in trt.BuilderFlag.__members__:
            config.set_flag(trt.BuilderFlag.__members__[name])
    if progress is not None:
        config.progress_monitor = _monitor(trt, progress)
    return config


def parse(tensorrt: TensorRt, content: bytes) -> tuple[Any, Any, Any]:
    """What an ONNX file is parsed to: a builder, its network, and the parser, which has weights.

    Raises:
        BuildFailedError: TensorRT does not start.
        ArtifactError: the parser refuses a part of the model; the message has its reason.
    """
    trt = tensorrt.api
    log = log_of(trt)
    log.lines.clear()
    try:
        builder = trt.Builder(log)
    except TypeError:  # what the bindings make of a null pointer
        raise BuildFailedError(f"{tensorrt.name} does not start: {first_line(log.lines)}") from None
    flags = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    network = builder.create_network(flags)
    parser = trt.OnnxParser(network, log)
    if not parser.parse(content):
        raise ArtifactError(f"{tensorrt.name} can't parse it: {_refusals(parser, log.lines)}")
    return builder, network, parser


def _add_profile(
    tensorrt: TensorRt, builder: Any, network: Any, config: Any, profile: BatchProfile
) -> None:
    shapes = builder.create_optimization_profile()
    for i in range(network.num_inputs):
        tensor = network.get_input(i)
        batch, *item = tuple(tensor.shape)
        if batch != -1 or any(size < 1 for size in item):
            raise ArtifactError(
                f"{tensorrt.name}: input {tensor.name!r} has shape {[batch, *item]}; an open batch "
                "dimension in front, and no other, is needed"
            )
        least, best, most = ((n, *item) for n in (1, profile.best, profile.most))
        shapes.set_shape(tensor.name, least, best, most)
    if config.add_optimization_profile(shapes) < 0:
        raise ArtifactError(f"{tensorrt.name} does not take batches of 1 to {profile.most} items")


def _refusals(parser: Any, lines: Sequence[str]) -> str:
    """What the parser does not know, each operator once."""
    found: dict[str, None] = {}
    for i in range(parser.num_errors):
        error = parser.get_error(i)
        operator, why = str(error.node_operator() or ""), short(error.desc())
        why = next((words for said, words in _IN_WORDS.items() if re.search(said, why)), why)
        found[f"operator {operator}: {why}" if operator else why] = None
    reasons = list(found)
    more = len(reasons) - MOST_REASONS
    shown = "; ".join(reasons[:MOST_REASONS]) or last_line(lines)
    return f"{shown}; and {more} more" if more > 0 else shown


def _monitor(trt: Any, progress: Progress) -> Any:
    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self._n_steps: dict[str, int] = {}

        def phase_start(self, phase: str, parent: str | None, n_steps: int) -> None:
            self._n_steps[phase] = n_steps
            progress(phase, 0.0)

        def step_complete(self, phase: str, step: int) -> bool:
            progress(phase, (step + 1) / max(self._n_steps.get(phase, 1), step + 1))
            return True  # go on

        def phase_finish(self, phase: str) -> None:
            progress(phase, 1.0)

    return Monitor()
