"""Measures the networks of trained ladders on an NVIDIA GPU beside the CPU.

Each call is timed from end to end, copies included: on the CPU, with TensorRT, with TensorRT for
RTX on cards that it takes, and with ONNX Runtime's CUDA where onnxruntime-gpu is installed. Forms
in FP16 and symmetric INT8 are made where a ladder has none. Each model on each of them has a
process of its own. What crashes, hangs or fails is named with the
reason. Results are written after each model.

Example: python -m benchmarks.gpu --models models
"""

import multiprocessing
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import click
import numpy as np
from ounce_edge.models.checks import sample_inputs
from ounce_edge.models.measurement import measure_latency
from ounce_edge.models.runtimes.base import Runtime
from ounce_edge.models.runtimes.bounded_process import BoundedProcess
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_edge.models.runtimes.onnx_cuda import OnnxCudaRuntime
from ounce_edge.models.runtimes.tensorrt.engines import find_engine
from ounce_edge.models.runtimes.tensorrt.libraries import Flavour
from ounce_edge.models.runtimes.tensorrt.runtime import TensorRtRuntime, make_tensorrt
from ounce_schemas.documents import CARD_FILE, MODEL_FILE, read_card
from ounce_schemas.errors import RuntimeAbsentError

from benchmarks.gpu_forms import make_forms, networks
from benchmarks.results import Cell, Table, models_option, publish_option, report

Make = Callable[[Path], Runtime]
"""Makes a runtime, with the folder of engines."""


def make_cpu(cache: Path) -> Runtime:
    """The CPU's."""
    return OnnxCpuRuntime()


def make_cuda(cache: Path) -> Runtime:
    """ONNX Runtime's on the GPU."""
    return OnnxCudaRuntime()


CPU, NATIVE, RTX, CUDA = "CPU", "TensorRT", "TensorRT for RTX", "CUDA"
MAKES: dict[str, Make] = {
    CPU: make_cpu,
    NATIVE: make_tensorrt,
    RTX: partial(make_tensorrt, flavour=Flavour.RTX),
    CUDA: make_cuda,
}
"""By name; what another process can import."""
COLUMNS = [
    "model",
    "items",
    "CPU, ms",
    "TensorRT, ms",
    "its GPU time, ms",
    "share of the ceiling",
    "TensorRT for RTX, ms",
    "CUDA, ms",
]
NOTE = (
    "Medians of calls. The ceiling is what the engine could answer if nothing but its GPU time, "
    "copies included, were spent."
)
LOAD_COLUMNS = ["model", "on", "built in, s", "loaded in, s", "again in, s", "GPU memory, MB"]
LOAD_NOTE = (
    "A first load of TensorRT for RTX compiles kernels, where the folder of engines has none yet. "
    "What was built before has no time."
)
RUNTIME_COLUMNS = ["on", "runtime", "GPU"]
FAULT_COLUMNS = ["model", "on", "why it was not measured"]
SIZES = (1, 32, 256)
LIMIT_S = 300.0
"""For a model on one of them. A process that takes longer is ended."""
SECONDS = 1.0
"""Of calls of one size."""
_CLOCKED_CALLS = 50


@dataclass
class Measured:
    """A model on one runtime."""

    runtime: str = ""
    device: str | None = None
    """What engines run on."""
    ms: dict[int, float] = field(default_factory=dict)
    """Of a call, by items."""
    clock_ms: dict[int, float] = field(default_factory=dict)
    """By the GPU's own clock, where it has one."""
    build_s: float | None = None
    load_s: float = 0.0
    again_s: float = 0.0
    memory_mb: float = 0.0


class FaultError(Exception):
    """A model was not measured; the message says why."""


class AbsentError(FaultError):
    """A runtime is not there, for any model."""


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@models_option
@click.option(
    "--cache",
    type=click.Path(path_type=Path),
    default=Path(".ounce-engines"),
    show_default=True,
    help="Folder of engines.",
)
@click.option(
    "--minutes",
    type=float,
    default=12.0,
    show_default=True,
    help="What has not begun by then is left out, and named.",
)
@publish_option
def main(models: Path, cache: Path, minutes: float, publish: bool) -> None:
    """Measure all networks."""
    end_s = time.monotonic() + 60 * minutes
    found: dict[str, dict[str, Measured]] = {}
    faults: list[list[Cell]] = []
    absent: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        cards = networks(models)
        for path in chain(cards, make_forms(cards, Path(folder))):
            card = read_card(path)
            name = f"{card.task}/{card.model}"
            found[name] = {}
            for on, make in MAKES.items():
                if on in absent:
                    continue
                try:
                    if time.monotonic() > end_s:
                        raise FaultError(f"{minutes:g} minutes were over")
                    found[name][on] = measure_apart(make, cache, path.with_name(MODEL_FILE))
                    click.echo(f"{name} on {on}: {_told(found[name][on])}")
                except FaultError as e:
                    if isinstance(e, AbsentError):
                        absent[on] = str(e)
                    faults.append([name if on not in absent else "all", on, str(e)])
                    click.echo(f"{name} on {on}: {e}")
            _write(found, faults, publish)
    if not any(on != CPU for by in found.values() for on in by):
        raise click.ClickException("nothing was measured on a GPU: the lines above say why")


def _write(
    found: Mapping[str, Mapping[str, Measured]], faults: list[list[Cell]], publish: bool
) -> None:
    loads = [
        [name, on, of.build_s, of.load_s, of.again_s, of.memory_mb]
        for name, by in found.items()
        for on, of in by.items()
        if on != CPU
    ]
    runtimes = {on: (of.runtime, of.device) for by in found.values() for on, of in by.items()}
    tables = {
        "runtimes": Table(
            columns=RUNTIME_COLUMNS, rows=[[on, *names] for on, names in runtimes.items()]
        ),
        "gpu": Table(columns=COLUMNS, rows=rows(found), note=NOTE),
        "loads": Table(columns=LOAD_COLUMNS, rows=loads, note=LOAD_NOTE),
        "faults": Table(columns=FAULT_COLUMNS, rows=faults),
    }
    report("gpu", tables, publish=publish)


def rows(found: Mapping[str, Mapping[str, Measured]]) -> list[list[Cell]]:
    """A row for each model and batch size. What was not measured is None."""
    result: list[list[Cell]] = []
    for name, by in found.items():
        for n in SIZES:
            ms = {on: of.ms.get(n) for on, of in by.items()}
            native = by.get(NATIVE, Measured())
            clock_ms, call_ms = native.clock_ms.get(n), native.ms.get(n)
            share = f"{clock_ms / call_ms:.0%}" if clock_ms and call_ms else None
            times = [ms.get(CPU), call_ms, clock_ms, share, ms.get(RTX), ms.get(CUDA)]
            result.append([name, n, *times])
    return result


def measure_apart(make: Make, cache: Path, file: Path, limit_s: float = LIMIT_S) -> Measured:
    """Measure a model in a process of its own.

    Args:
        make: makes the runtime there.
        cache: folder of engines.
        file: the model's, beside its card.
        limit_s: seconds until the process is ended.

    Raises:
        AbsentError: there is no such runtime.
        FaultError: the model does not run there, or its process crashes or hangs.
    """
    ours, theirs = multiprocessing.Pipe(duplex=False)
    child = BoundedProcess(target=_serve, args=(theirs, make, cache, file, SECONDS), daemon=True)
    child.start()
    theirs.close()
    try:
        if not ours.poll(limit_s):
            raise FaultError(f"it takes longer than {limit_s:g} s and was ended")
        answer = ours.recv()
    except EOFError:
        child.join()
        raise FaultError(f"its process ended with exit code {child.exitcode}") from None
    finally:
        if child.end(0.0) is None:
            click.echo(f"pid {child.pid} hangs in a driver and does not end", err=True)
        ours.close()
    if isinstance(answer, FaultError):
        raise answer
    measured: Measured = answer
    return measured


def _serve(
    pipe: "Connection[Any, Any]", make: Make, cache: Path, file: Path, seconds: float
) -> None:
    try:
        answer: object = measure(make(cache), file, seconds)
    except RuntimeAbsentError as e:
        answer = AbsentError(str(e))
    except Exception as e:  # whatever it is: other models are measured all the same
        answer = FaultError(f"{type(e).__name__}: {' '.join(str(e).split())}")
    pipe.send(answer)


def measure(runtime: Runtime, file: Path, seconds: float) -> Measured:
    """Build, load, time the calls of each size for so long, and load again."""
    content, found = file.read_bytes(), Measured(runtime.name)
    sample = sample_inputs(read_card(file.with_name(CARD_FILE)).inputs, max(SIZES))
    if isinstance(runtime, TensorRtRuntime):
        found.device = str(runtime.device)
        begun_s = time.monotonic()
        _, is_new = find_engine(runtime.cache, runtime.target, file, content, _unheard)
        found.build_s = round(time.monotonic() - begun_s, 3) if is_new else None
    before = getattr(runtime, "used_bytes", 0)
    begun_s = time.monotonic()
    model = runtime.load(file, content)
    found.load_s = round(time.monotonic() - begun_s, 3)
    found.memory_mb = round((getattr(runtime, "used_bytes", 0) - before) / 1e6, 1)
    for n in SIZES:
        [at] = measure_latency(model, sample, batch_sizes=[n], seconds=seconds)
        found.ms[n] = round(at.p50_ms, 4)
        clock = getattr(model, "gpu_times_ms", None)
        if clock is not None:
            found.clock_ms[n] = round(float(np.median(clock(n, _CLOCKED_CALLS))), 4)
    model.unload()
    begun_s = time.monotonic()
    runtime.load(file, content).unload()
    found.again_s = round(time.monotonic() - begun_s, 3)
    return found


def _unheard(phase: str, share: float) -> None:
    pass


def _told(measured: Measured) -> str:
    times = ", ".join(f"{n} items {ms:.4f} ms" for n, ms in measured.ms.items())
    return f"{times}; loaded in {measured.load_s:.1f} s"


if __name__ == "__main__":
    main()
