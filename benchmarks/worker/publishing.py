"""Publishing a model to workers under load: how long until it serves everywhere, and what the
requests meanwhile see of it.

Three workers on a real Kafka follow a store and serve digits at a steady rate. In each round a
model of 10 MB is published. The tail of the round is held against the time just before. The command
that publishes has the lowest priority: it takes seconds of a core to start, and runs elsewhere in
practice.

Example: python -m benchmarks.worker.publishing --rounds 5
"""

import hashlib
import itertools
import json
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
import onnx
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from onnx import TensorProto, helper, numpy_helper

from benchmarks import results
from benchmarks.results import Table
from benchmarks.worker.backlog import broker, ounce
from benchmarks.worker.load import Load
from tests.support.process.worker import Worker

N_WORKERS = 3
HIDDEN = (1250, 1900)
"""Widths of a perceptron whose file has 10 MB."""
NEW = "wide"
_PATIENCE_S = 60.0
_WARM_UP_S = 12.0
"""Until the group has shared its partitions, and nothing is behind."""
AT_LEAST_ONE = click.IntRange(min=1)


class Round(NamedTuple):
    """One model that was published."""

    serves_s: float
    """From the start of `ounce models publish` until all workers serve it."""
    before_p99_ms: float
    """Of requests sent in the seconds before, until their answers are read."""
    while_p99_ms: float
    """Of those sent from then until all serve it."""

    @property
    def tail_ratio(self) -> float:
        """How much longer the tail is meanwhile."""
        return self.while_p99_ms / self.before_p99_ms


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--rounds", type=AT_LEAST_ONE, default=5, show_default=True, help="Models.")
@click.option("--rate", type=AT_LEAST_ONE, default=300, show_default=True, help="Messages/s.")
@click.option(
    "--seconds", type=AT_LEAST_ONE, default=6, show_default=True, help="Before each model."
)
@results.models_option
@results.publish_option
def main(rounds: int, rate: int, seconds: int, models: Path, publish: bool) -> None:
    """Print each round, and write their table."""
    if not (models / "digits").is_dir():
        raise click.ClickException(
            f"no ladder in {models}/digits: make it with `ounce train digits --models {models}`"
        )
    marks = []
    with _fleet(models, rate) as (load, workers, folder, places):
        time.sleep(_WARM_UP_S)
        for number in range(rounds):
            version = write_wide(folder, number)
            time.sleep(seconds)
            began_s = time.perf_counter()
            _models("publish", folder / NEW, *places)
            _wait_until_all_serve(workers, version)
            marks.append((began_s, time.perf_counter()))
            click.echo(f"round {number + 1}: serves after {marks[-1][1] - began_s:.2f} s")
    found = [
        Round(end - began, load.p99_ms(began - seconds, began), load.p99_ms(began, end))
        for began, end in marks
    ]
    n_lost = len(load.sent_s) - len(load.n_read)
    n_repeated = sum(n - 1 for n in load.n_read.values())
    table = table_of(found, n_lost, n_repeated)
    results.report("publishing", {"publishing": table}, publish=publish)


def table_of(rounds: Sequence[Round], n_lost: int, n_repeated: int) -> Table:
    """Medians and worst of the rounds."""
    columns = ["", "median", "worst"]
    figures = {
        "from `publish` until all three workers serve it, s": [r.serves_s for r in rounds],
        "p99 before, ms": [r.before_p99_ms for r in rounds],
        "p99 meanwhile, ms": [r.while_p99_ms for r in rounds],
        "p99 meanwhile over before": [r.tail_ratio for r in rounds],
    }
    rows: list[list[results.Cell]] = [
        [name, f"{statistics.median(values):.2f}", f"{max(values):.2f}"]
        for name, values in figures.items()
    ]
    rows += [["requests lost", None, n_lost], ["requests answered twice", None, n_repeated]]
    note = (
        f"{len(rounds)} models of 10 MB, one after another; digits on a real Kafka, at least once; "
        "from the request's sending to the reading of its answer. `publish` runs at the lowest "
        "priority."
    )
    return Table(columns, rows, note)


def write_wide(folder: Path, seed: int) -> str:
    """A model of 10 MB beside a digits ladder, with the promises of `mlp`; its version."""
    rng = np.random.default_rng(seed)
    sizes, nodes, weights, name = (64, *HIDDEN, 10), [], [], "input"
    for k, (n_in, n_out) in enumerate(itertools.pairwise(sizes)):
        matrix = (rng.standard_normal((n_in, n_out)) / n_in**0.5).astype(np.float32)
        weights.append(numpy_helper.from_array(matrix, f"w{k}"))
        nodes.append(helper.make_node("MatMul", [name, f"w{k}"], [f"m{k}"]))
        last = n_out == sizes[-1]
        name = "probabilities" if last else f"h{k}"
        nodes.append(helper.make_node("Softmax" if last else "Relu", [f"m{k}"], [name]))
    graph = helper.make_graph(
        nodes,
        NEW,
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 64])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 10])],
        weights,
    )
    opset = helper.make_opsetid("", 17)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=9)
    onnx.checker.check_model(model)
    content = model.SerializeToString()
    card = json.loads((folder / "mlp" / "card.json").read_text())
    digest = hashlib.sha256(content).hexdigest()
    card |= {"model": NEW, "sha256": digest, "version": digest[:12], "size_bytes": len(content)}
    card.pop("canaries", None)
    (folder / NEW).mkdir(exist_ok=True)
    (folder / NEW / "model.onnx").write_bytes(content)
    (folder / NEW / "card.json").write_text(json.dumps(card))
    return digest[:12]


@contextmanager
def _fleet(models: Path, rate: int) -> Iterator[tuple[Load, list[Worker], Path, list[str]]]:
    with ExitStack() as stack:
        servers = stack.enter_context(broker())
        admin = AdminClient({"bootstrap.servers": servers, "log_level": 3})
        topic = NewTopic("ounce.models", 1, 1, config={"cleanup.policy": "compact"})
        admin.create_topics([topic])["ounce.models"].result()
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder = scratch / "models" / "digits"
        shutil.copytree(models / "digits", folder)
        _models("key", scratch / "key")
        places = [f"--store={scratch / 'store'}", f"--kafka={servers}", f"--key={scratch / 'key'}"]
        _models("publish", folder, *places)
        options = [
            "--group=bench",
            "--model-threads=1",
            f"--models-store={scratch / 'store'}",
            f"--models-key={scratch / 'key.pub'}",
        ]
        workers = [
            stack.enter_context(
                Worker(
                    servers,
                    scratch / "none",
                    scratch / f"{n}.log",
                    [*options, f"--models-cache={scratch / f'cache-{n}'}"],
                )
            )
            for n in range(N_WORKERS)
        ]
        with np.load(folder / "test-split.npz") as arrays:
            values = [row.tobytes() for row in arrays["input"].astype("<f4")]
        load = Load(servers, values, rate, [("ce_minaccuracy", b"0.9")])
        load.start()
        stack.callback(load.close)
        yield load, workers, folder, places


def _models(*arguments: object) -> None:
    command = ["nice", "-n", "19", *ounce(), "models", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise click.ClickException(done.stderr)


def _wait_until_all_serve(workers: Sequence[Worker], version: str) -> None:
    deadline_s, left = time.perf_counter() + _PATIENCE_S, list(workers)
    while left:
        if time.perf_counter() > deadline_s:
            raise click.ClickException(left[0].child.log_tail())
        left = [w for w in left if not _serves(w, version)]
        time.sleep(0.05)


def _serves(worker: Worker, version: str) -> bool:
    lines = worker.child.log.read_text().splitlines()
    return any("event=models-changed" in line and version in line for line in lines)


if __name__ == "__main__":
    main()
