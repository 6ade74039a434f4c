"""Measures the networks of trained ladders on an NVIDIA GPU beside the CPU.

Each call is timed from end to end, copies included, in one process: on the CPU, with TensorRT, and
with ONNX Runtime's CUDA where onnxruntime-gpu is installed.

Example: python -m benchmarks.gpu --models models
"""

from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
from ounce_edge.models.checks import sample_inputs
from ounce_edge.models.measurement import measure_latency
from ounce_edge.models.runtimes.base import Inputs, LoadedModel
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_edge.models.runtimes.onnx_cuda import OnnxCudaRuntime
from ounce_edge.models.runtimes.tensorrt.batch_profile import BatchProfile
from ounce_edge.models.runtimes.tensorrt.cache import EngineCache
from ounce_edge.models.runtimes.tensorrt.cuda import find_cuda
from ounce_edge.models.runtimes.tensorrt.device import find_device
from ounce_edge.models.runtimes.tensorrt.engine import EngineModel
from ounce_edge.models.runtimes.tensorrt.engines import Target, find_engine
from ounce_edge.models.runtimes.tensorrt.libraries import find_tensorrt
from ounce_schemas.documents import CARD_FILE, MODEL_FILE, read_card
from ounce_schemas.errors import ArtifactError, OunceError, RuntimeAbsentError

from benchmarks.results import Cell, Table, models_option, publish_option, report

COLUMNS = [
    "model",
    "items",
    "CPU, ms",
    "TensorRT, ms",
    "its GPU time, ms",
    "share of the ceiling",
    "CUDA, ms",
]
NOTE = (
    "Medians of calls. The ceiling is what the engine could answer if nothing but its GPU time, "
    "copies included, were spent."
)
SIZES = (1, 32, 256)
_SECONDS = 1.0
_CLOCKED_CALLS = 50


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@models_option
@click.option(
    "--cache",
    type=click.Path(path_type=Path),
    default=Path(".ounce-engines"),
    show_default=True,
    help="Folder of engines.",
)
@publish_option
def main(models: Path, cache: Path, publish: bool) -> None:
    """Measure all networks that TensorRT takes."""
    try:
        cuda = find_cuda()
        target = Target(find_tensorrt(), find_device(cuda), BatchProfile())
        store, found = EngineCache(cache), list[list[Cell]]()
    except OunceError as e:
        raise click.ClickException(str(e)) from e
    for path in sorted(models.glob(f"[!.]*/[!.]*/{CARD_FILE}")):
        card = read_card(path)
        if card.family != "neural":
            continue
        file = path.with_name(MODEL_FILE)
        content, name = file.read_bytes(), f"{card.task}/{card.model}"
        try:
            engine, _ = find_engine(store, target, file, content, lambda phase, share: None)
        except ArtifactError as e:
            click.echo(str(e))
            continue
        gpu = EngineModel(target.tensorrt, cuda, engine)
        cpu, by_cuda = OnnxCpuRuntime().load(file, content), _by_cuda(file, content)
        found += rows(name, sample_inputs(card.inputs, max(SIZES)), cpu, gpu, by_cuda)
        for model in (gpu, by_cuda):
            if model is not None:
                model.unload()
    click.echo(str(target.device))
    report("gpu", {"gpu": Table(columns=COLUMNS, rows=found, note=NOTE)}, publish=publish)


def rows(
    name: str, sample: Inputs, cpu: LoadedModel, gpu: EngineModel, by_cuda: LoadedModel | None
) -> Iterator[list[Cell]]:
    """A row for each batch size.

    Args:
        name: of the model.
        sample: items, as many as the largest batch has.
        cpu: the model on the CPU.
        gpu: the same as an engine.
        by_cuda: the same in ONNX Runtime on the GPU, where that is there.
    """
    for n in SIZES:
        cpu_ms, gpu_ms = _median_ms(cpu, sample, n), _median_ms(gpu, sample, n)
        clock_ms = float(np.median(gpu.gpu_times_ms(n, _CLOCKED_CALLS)))
        cuda_ms = None if by_cuda is None else round(_median_ms(by_cuda, sample, n), 4)
        click.echo(f"{name} {n}: {cpu_ms:.4f} {gpu_ms:.4f} {clock_ms:.4f} {cuda_ms}")
        times = (round(ms, 4) for ms in (cpu_ms, gpu_ms, clock_ms))
        yield [name, n, *times, f"{clock_ms / gpu_ms:.0%}", cuda_ms]


def _median_ms(model: LoadedModel, sample: Inputs, n: int) -> float:
    [at] = measure_latency(model, sample, batch_sizes=[n], seconds=_SECONDS)
    return at.p50_ms


def _by_cuda(file: Path, content: bytes) -> LoadedModel | None:
    try:
        return OnnxCudaRuntime().load(file, content)
    except (RuntimeAbsentError, ArtifactError) as e:
        click.echo(str(e))
        return None


if __name__ == "__main__":
    main()
