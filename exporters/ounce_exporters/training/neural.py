"""Neural models: a PyTorch training loop, and export to ONNX."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from ounce_schemas.errors import ExportError
from ounce_schemas.task import TensorSpec
from safetensors.numpy import save_file
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ounce_exporters.export.graphs import OPSET, UNCALIBRATED, normalize
from ounce_exporters.ladder.recipe import Inputs, Progress
from ounce_exporters.training.checkpoints import next_checkpoint
from ounce_exporters.training.fits import Stateful, identify, resume, standing
from ounce_exporters.training.losses import Loss, held_loss, loss_of
from ounce_exporters.training.standardizing import standardize
from ounce_exporters.training.stopping import Best, hold_out
from ounce_exporters.training.torch_exporter import quiet_exporter, why_not_exported

THREADS = 1
"""Fixed, not the machine's number: sums over threads round differently for another. Two gain little
on networks of this size, and cost several times as much while another program uses the cores."""
WEIGHTS_FILE = "weights.safetensors"
"""Beside `model.onnx`: another network can start from it."""
ENOUGH_ROWS = 5_000
"""Of fewer, all are needed to learn from."""
_ROWS = 1024  # items of one call when predicting
_ELEMENTS = {"FP32": torch.float32, "UINT8": torch.uint8}

Augment = Callable[[Tensor, torch.Generator], Tensor]
"""Changes a batch of inputs at random; all randomness comes from the generator."""


@dataclass(frozen=True)
class Training:
    """How a network learns: AdamW on a one-cycle schedule, and a moving average of its weights."""

    epochs: int
    learning_rate: float
    batch_size: int = 64
    weight_decay: float = 1e-2
    label_smoothing: float = 0.05
    averaging: float = 0.98
    """Share of the old average kept at each step; the average is what is exported."""
    augment: Augment | None = None
    patience: int | None = None
    """Of `ENOUGH_ROWS` or more, a part says when to stop: after so many epochs without a gain."""
    loss: Loss | None = None
    """Default: cross-entropy of label indices, squared error of values."""


def train(
    make: Callable[[], nn.Module],
    inputs: NDArray[Any],
    targets: NDArray[Any],
    training: Training,
    seed: int,
    progress: Progress,
) -> nn.Module:
    """Train a network and return it in evaluation mode. The same seed gives the same weights.

    Args:
        make: builds the network; called after the seed is set.
        inputs: array of shape (n_items, ...).
        targets: label indices (int64: cross-entropy is minimised) or values (float32: squared
            error), array of shape (n_items,), or (n_items, n_outputs) for several values.
        training: the schedule.
        seed: of initial weights, order, dropout and augmentation.
        progress: told the share of steps that are done.
    """
    measure = training.loss or loss_of(targets, training.label_smoothing)
    x, y = torch.from_numpy(np.ascontiguousarray(inputs)), torch.from_numpy(targets)
    with reproducible(seed):
        held, kept = np.arange(0), np.arange(len(x))
        if training.patience is not None and len(x) >= ENOUGH_ROWS:
            held, kept = hold_out(targets, seed)
        generator = torch.Generator().manual_seed(seed)
        network = make().train()
        average = AveragedModel(
            network,
            multi_avg_fn=get_ema_multi_avg_fn(training.averaging),  # type: ignore[no-untyped-call]
            use_buffers=True,
        )
        optimizer = torch.optim.AdamW(
            network.parameters(),
            lr=training.learning_rate,
            weight_decay=training.weight_decay,
            fused=True,
        )
        batches = math.ceil(len(kept) / training.batch_size)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, training.learning_rate, total_steps=training.epochs * batches
        )
        best = Best(average.module, training.patience or training.epochs + 1)
        parts: dict[str, Stateful] = {
            "best": best,
            "average": average,
            "network": network,
            "optimizer": optimizer,
            "schedule": schedule,
        }
        arrays = {"inputs": inputs, "targets": targets}
        checkpoint = next_checkpoint(lambda: identify(network, arrays, training, seed))
        state = checkpoint.read()
        if state is not None:
            resume(state, parts, generator)
        for epoch in range(0 if state is None else state["epochs"], training.epochs):
            if best.is_over:
                break
            order = torch.from_numpy(kept)[torch.randperm(len(kept), generator=generator)]
            # Batches of nearly equal size: one of a single item would break batch normalisation.
            for chosen in torch.tensor_split(order, batches):
                batch = x[chosen]
                if training.augment is not None:
                    batch = training.augment(batch, generator)
                loss = measure(network(batch), y[chosen])
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                schedule.step()
                average.update_parameters(network)
            if len(held):
                best.judge(average.module, held_loss(average.module, x[held], y[held], measure))
            checkpoint.write(
                partial(standing, parts, generator, epochs=epoch + 1),
                ended=best.is_over or epoch + 1 == training.epochs,
            )
            progress((epoch + 1) / training.epochs)
    trained: nn.Module = average.module
    if len(held):
        trained.load_state_dict(best.weights)
        progress(1.0)
    return trained.eval()


def fit_task(
    make: Callable[[], nn.Module],
    inputs: NDArray[Any],
    targets: NDArray[Any],
    training: Training,
    seed: int,
    progress: Progress,
) -> nn.Module:
    """As `train`; a quantity is learned standardized, and answered in its own unit.

    Targets of shape (n_items, n_labels) are probabilities of classes.
    """
    if targets.ndim == 2:
        training = replace(training, loss=nn.functional.cross_entropy)
        return train(make, inputs, targets, training, seed, progress)
    if np.issubdtype(targets.dtype, np.integer):
        return train(make, inputs, targets, training, seed, progress)
    values, centre, spread = standardize(targets)
    network = train(make, inputs, values.astype(np.float32), training, seed, progress)
    return Rescaled(network, centre, spread).eval()


class Rescaled(nn.Module):
    """A network whose standardized output is brought back to the target's unit."""

    def __init__(self, network: nn.Module, centre: float, spread: float) -> None:
        super().__init__()
        self.network = network
        self.centre = centre
        self.spread = spread

    def forward(self, x: Tensor) -> Tensor:
        """Values of shape (n_items, 1)."""
        values: Tensor = self.network(x) * self.spread + self.centre
        return values


class NeuralModel:
    """A trained network that reads one tensor of numbers.

    Args:
        network: reads an array of shape (n_items, *tensor.shape).
        tensor: the task's input.
    """

    def __init__(self, network: nn.Module, tensor: TensorSpec) -> None:
        self._network = network
        self._tensor = tensor

    @property
    def parameters(self) -> int:
        """Learned weights."""
        return count_weights(self._network)

    def predict(self, inputs: Inputs) -> NDArray[np.float32]:
        """Logits of shape (n_items, n_labels), or values of shape (n_items, 1)."""
        return run(self._network, inputs[self._tensor.name])

    def write_weights(self, folder: Path) -> None:
        """Keep what the network has learned, by the names of its layers, as `WEIGHTS_FILE`."""
        network = self._network.network if isinstance(self._network, Rescaled) else self._network
        arrays = {name: tensor.numpy().copy() for name, tensor in network.state_dict().items()}
        save_file(arrays, folder / WEIGHTS_FILE)

    def to_onnx(self) -> onnx.ModelProto:
        """The network as a graph with the one output `uncalibrated`.

        Raises:
            ExportError: PyTorch can't export it.
        """
        return export(self._network, self._tensor)


def count_weights(network: nn.Module) -> int:
    """Number of learned weights."""
    return sum(p.numel() for p in network.parameters())


def run(network: nn.Module, inputs: NDArray[Any]) -> NDArray[np.float32]:
    """Outputs of a network for an array of shape (n_items, ...)."""
    x = torch.from_numpy(np.ascontiguousarray(inputs))
    with torch.inference_mode():
        return np.concatenate([network(part).numpy() for part in torch.split(x, _ROWS)])


def export(network: nn.Module, tensor: TensorSpec) -> onnx.ModelProto:
    """Export a network with a dynamic batch dimension and the one output `uncalibrated`.

    Args:
        network: reads one tensor of numbers, array of shape (n_items, *shape).
        tensor: its name, datatype and shape.

    Raises:
        ExportError: PyTorch can't export it.
    """
    # Two items: a batch of one would be taken for a constant.
    example = torch.zeros(2, *tensor.shape, dtype=_ELEMENTS[tensor.datatype])
    try:
        with quiet_exporter():
            program = torch.onnx.export(
                network.eval(),
                (example,),
                dynamo=True,
                verbose=False,
                opset_version=OPSET,
                input_names=[tensor.name],
                output_names=[UNCALIBRATED],
                dynamic_shapes=({0: torch.export.Dim("batch")},),
            )
    except torch.onnx.OnnxExporterError as e:
        raise ExportError(
            f"PyTorch can't export this {type(network).__name__}: {why_not_exported(e)}"
        ) from e
    assert program is not None  # no file name was given
    return normalize(program.model_proto)


@contextmanager
def reproducible(seed: int) -> Iterator[None]:
    """Seed, fixed threads and deterministic algorithms; restored afterwards."""
    threads = torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.set_num_threads(THREADS)
        torch.use_deterministic_algorithms(True)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(deterministic)
            torch.set_num_threads(threads)
