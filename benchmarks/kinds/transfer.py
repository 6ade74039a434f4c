"""Measures what a start from another network is worth where labels are few.

Example: python -m benchmarks.kinds.transfer --data FOLDER --seeds 3
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import onnx
from numpy.typing import NDArray
from ounce_exporters.ladder.recipe import FittedModel, TaskData
from ounce_exporters.own.backbone import read_backbone
from ounce_exporters.own.feeding import read_range
from ounce_exporters.tasks.bearing import task as bearing
from ounce_exporters.tasks.bearing.augmentation import roll
from ounce_exporters.tasks.bearing.networks import Cnn1d
from ounce_exporters.tasks.bearing.simulation import LABELS, Conditions, simulate
from ounce_exporters.tasks.image.images import IMAGE_INPUT
from ounce_exporters.tasks.splits import split_task
from ounce_exporters.tasks.table.options import TableOptions, Writing
from ounce_exporters.tasks.table.recipes import recipes
from ounce_exporters.tasks.table.task import load
from ounce_exporters.training.crossfit import select
from ounce_exporters.training.fine_tuning import Start, fit_network
from ounce_exporters.training.heads import head_recipes
from ounce_exporters.training.neural import WEIGHTS_FILE, NeuralModel, Training
from ounce_schemas.card import ModelCard
from PIL import Image
from safetensors.numpy import load_file
from sklearn.datasets import load_digits

from benchmarks.results import Cell, Table, publish_option, report

_SIDE = 28
_NETWORK = "cnn"
_KNOWN_HZ, _OTHER_HZ = (28.0, 50.0), (14.0, 24.0)
_SOURCE_WINDOWS, _TARGET_WINDOWS = 4_000, 3_000
_BATCH_SIZE, _LEAST_STEPS = 32, 300
_WAYS = ("from scratch", "linear probe", "small network", "all layers")
_PIXELS = "0..255"
"""What the own networks of images read."""

Fit = Callable[[TaskData, int, Start | None], FittedModel]


@dataclass(frozen=True)
class Transfer:
    """A network that has learned from many items, and other items that resemble them."""

    name: str
    labels: tuple[int, ...]
    """Of each class, that are learned from."""
    source: TaskData
    target: TaskData
    fit: Fit


def measure_transfer(folder: Path, seeds: int) -> Table:
    """One row for each number of labels: accuracy on test items, by what the network starts from.

    Args:
        folder: holds `images/mnist_5k.csv.gz`.
        seeds: how many draws of the labels, each with other first weights.
    """
    rows: list[list[Cell]] = []
    for transfer in (_of_digits(folder), _of_bearings()):
        with tempfile.TemporaryDirectory() as scratch:
            start = _learn(transfer, Path(scratch))
            for n_labels in transfer.labels:
                rows.append(_row(transfer, n_labels, start, Path(scratch), seeds))
    note = (
        f"Means of {seeds} draws of the labels. Gain: all layers against from scratch; ± is the "
        "standard deviation of the draws' gains. To reach: 10 points at 10 labels a class."
    )
    columns = ["learned before, then", "labels a class", *_WAYS, "gain, points", "±"]
    return Table(columns, rows, note)


def _row(transfer: Transfer, n_labels: int, start: Start, folder: Path, seeds: int) -> list[Cell]:
    found = np.array([_ways(transfer, n_labels, start, folder, seed) for seed in range(seeds)])
    gains = 100 * (found[:, -1] - found[:, 0])
    shares = [f"{share:.1%}" for share in found.mean(axis=0)]
    spread = f"{gains.std(ddof=1):.1f}" if seeds > 1 else None
    return [transfer.name, n_labels, *shares, f"{gains.mean():+.1f}", spread]


def _ways(transfer: Transfer, n_labels: int, start: Start, folder: Path, seed: int) -> list[float]:
    """Accuracy of each way, in their order."""
    data = _few(transfer.target, n_labels, seed)
    backbone = read_backbone(folder / "source.onnx", (folder / "tensor").read_text(), None)
    linear, mlp = head_recipes(data, backbone, read_range(_PIXELS), balanced=False)
    models = [
        transfer.fit(data, seed, None),
        *(recipe.fit(data, seed, lambda done: None) for recipe in (linear, mlp)),
        transfer.fit(data, seed, start),
    ]
    truth = data.test.targets
    return [
        float((model.predict(data.test.inputs).argmax(axis=1) == truth).mean()) for model in models
    ]


def _few(data: TaskData, n_labels: int, seed: int) -> TaskData:
    """So many items of each class to learn from, drawn by chance."""
    rng = np.random.default_rng(seed)
    targets = data.train.targets
    chosen = [rng.choice(np.flatnonzero(targets == c), n_labels, replace=False)
              for c in np.unique(targets)]  # fmt: skip
    return replace(data, train=select(data.train, np.concatenate(chosen)))


def _learn(transfer: Transfer, folder: Path) -> Start:
    """Train the network on the source; written as `--from` and `--from-onnx` read it."""
    model = transfer.fit(transfer.source, 0, None)
    assert isinstance(model, NeuralModel)
    model.write_weights(folder)
    graph = model.to_onnx()
    onnx.save(graph, folder / "source.onnx")
    (last,) = [node for node in graph.graph.node if graph.graph.output[0].name in node.output]
    (folder / "tensor").write_text(last.input[0])
    named: dict[str, Any] = {"task": transfer.source.spec.name, "model": _NETWORK, "version": ""}
    card = ModelCard.model_construct(**named)
    return Start(card, load_file(folder / WEIGHTS_FILE))


def _of_digits(folder: Path) -> Transfer:
    """Small images of digits that scikit-learn bundles, then MNIST's."""
    options = TableOptions(writing=Writing(header=False), image=(_SIDE, _SIDE, None))
    path = folder / "images" / "mnist_5k.csv.gz"
    target = load(path, str(_SIDE**2), "mnist", options, 0, lambda line: None)
    small, classes = load_digits(return_X_y=True)
    grey = np.stack([_enlarged(image.reshape(8, 8)) for image in small])[..., None]
    spec = target.spec.model_copy(update={"name": "digits"})
    source = split_task(spec, "digits", {IMAGE_INPUT: grey}, classes.astype(np.int64), 0)
    return Transfer(
        "digits of 8 x 8 pixels, then MNIST", (10,), source, _without_folds(target), _fit_image
    )


def _enlarged(pixels: NDArray[np.float64]) -> NDArray[np.uint8]:
    """With a margin, as MNIST has it, and in its range."""
    image = Image.fromarray((pixels * (255 / 16)).astype(np.uint8)).resize((20, 20))
    return np.pad(np.asarray(image), (_SIDE - 20) // 2)


def _without_folds(data: TaskData) -> TaskData:
    return replace(data, folds=None, units=None)


def _fit_image(data: TaskData, seed: int, start: Start | None) -> FittedModel:
    (recipe,) = [r for r in recipes(data, start=start) if r.name == _NETWORK]
    return recipe.fit(data, seed, lambda done: None)


def _of_bearings() -> Transfer:
    """Vibration at one range of shaft speeds, then at half of it."""
    source = _windows(_SOURCE_WINDOWS, _KNOWN_HZ, 0)
    target = _windows(_TARGET_WINDOWS, _OTHER_HZ, 1)
    name = f"bearings at {_KNOWN_HZ[0]:.0f} to {_KNOWN_HZ[1]:.0f} Hz, then {_OTHER_HZ[0]:.0f} to "
    return Transfer(f"{name}{_OTHER_HZ[1]:.0f} Hz", (10, 50), source, target, _fit_windows)


def _windows(n: int, shaft_hz: tuple[float, float], seed: int) -> TaskData:
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n, dtype=np.int64) % len(LABELS))
    drawn = Conditions.draw(labels, rng)
    speeds = rng.uniform(*shaft_hz, n).astype(np.float32)
    windows = simulate(replace(drawn, shaft_hz=speeds), rng)
    return split_task(bearing.SPEC, bearing.SOURCE, {"input": windows}, labels, seed)


def _fit_windows(data: TaskData, seed: int, start: Start | None) -> FittedModel:
    learned = data.train
    batches = -(-len(learned) // _BATCH_SIZE)
    epochs = max(bearing.QUICK_EPOCHS["cnn-1d"], _LEAST_STEPS // batches)
    training = Training(epochs, learning_rate=8e-3, batch_size=_BATCH_SIZE, augment=roll)
    arrays = (learned.inputs["input"], learned.targets)
    network = fit_network(Cnn1d, arrays, training, seed, lambda done: None, start=start)
    return NeuralModel(network, data.spec.inputs[0])


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--data",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    required=True,
    help="Folder with images/.",
)
@click.option("--seeds", type=click.IntRange(min=1), default=3, help="Draws of the labels.")
@publish_option
def main(data: Path, seeds: int, publish: bool) -> None:
    """Measure, show and write the table."""
    table = measure_transfer(data, seeds)
    report("kinds_transfer", {"kinds-transfer": table}, publish=publish)


if __name__ == "__main__":
    main()
