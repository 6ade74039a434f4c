"""What a call costs while models are isolated: in a process of their own, against in the worker.

The same calls in turns, through the runtime that the worker has. Each round gives a ratio.

Example: python -m benchmarks.worker.isolated --rounds 10
"""

import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click
import numpy as np
from ounce_edge.models.runtimes.isolable import IsolableRuntime
from ounce_edge.models.runtimes.isolation import Isolation
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_schemas.documents import MODEL_FILE

from benchmarks import results
from benchmarks.results import Table

MODELS = "mlp", "small-cnn", "residual-cnn"
BATCHES = 1, 32, 512
_ROUND_S = 0.1
"""Of one side, about."""


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--rounds", default=20, show_default=True, help="Of each model and batch.")
@results.models_option
@results.publish_option
def main(rounds: int, models: Path, publish: bool) -> None:
    """Measure, and write the table."""
    with np.load(models / "digits" / "test-split.npz") as arrays:
        inputs = np.resize(arrays["input"].astype(np.float32), (max(BATCHES), 64))
    isolation = Isolation(OnnxCpuRuntime)
    runtime = IsolableRuntime(OnnxCpuRuntime(), isolation)
    rows: list[list[results.Cell]] = []
    for name in MODELS:
        path = models / "digits" / name / MODEL_FILE
        model = runtime.load(path, path.read_bytes())
        for n in BATCHES:
            call = partial(model.run, {"input": inputs[:n]})
            here_ms, there_ms = compare(call, isolation, rounds)
            ratios = [there / here for here, there in zip(here_ms, there_ms, strict=True)]
            rows.append(
                [
                    name,
                    n,
                    f"{statistics.median(here_ms):.3f}",
                    f"{statistics.median(there_ms):.3f}",
                    f"{1 / statistics.median(ratios):.2f} "
                    f"({1 / max(ratios):.2f} to {1 / min(ratios):.2f})",
                ]
            )
        model.unload()
    isolation.close()
    columns = ["model", "messages a call", "in the worker, ms", "isolated, ms", "throughput, ratio"]
    note = (
        f"Medians of {rounds} rounds in turn; of the ratios also the least and the greatest. "
        "Calls alone: what a message costs beside them stays the same."
    )
    results.report("isolated", {"isolated": Table(columns, rows, note)}, publish=publish)


def compare(
    call: Callable[[], object], isolation: Isolation, rounds: int
) -> tuple[list[float], list[float]]:
    """Milliseconds a call in the worker, and isolated, of each round.

    Raises:
        ClickException: the process can't be started: all calls would be made here.
    """
    here_ms: list[float] = []
    there_ms: list[float] = []
    isolation.begin()
    call()  # starts the process, and loads the model there
    if isolation.failure is not None:
        raise click.ClickException(f"nothing can be isolated: {isolation.failure}")
    n_calls = max(1, round(_ROUND_S * 1e3 / _call_ms(call, 3)))
    for _ in range(rounds):
        for is_on, times_ms in ((False, here_ms), (True, there_ms)):
            isolation.is_on = is_on
            call()
            times_ms.append(_call_ms(call, n_calls))
    return here_ms, there_ms


def _call_ms(call: Callable[[], object], n: int) -> float:
    began_s = time.perf_counter()
    for _ in range(n):
        call()
    return (time.perf_counter() - began_s) / n * 1e3


if __name__ == "__main__":
    main()
