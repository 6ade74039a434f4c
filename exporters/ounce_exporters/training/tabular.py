"""A network for tables: several members that share most weights, on piecewise-linear numbers.

- A number becomes how far it has come through each of a few intervals that hold about equally many
  rows, each cut to 0 and 1, so that an extreme value can't be more than extreme (Gorishniy,
  Rubachev and Babenko, "On Embeddings for Numerical Features in Tabular Deep Learning", NeurIPS
  2022).
  The number itself goes in beside them, also cut, so that a line is learned as a line.
- The members share the matrices of all layers. Each scales the hidden units by signs and sizes of
  its own and has its own biases and last layer; their probabilities are averaged (Gorishniy,
  Kotelnikov and Babenko, "TabM: Advancing Tabular Deep Learning with Parameter-Efficient
  Ensembling", ICLR 2025). The first product is computed once for all members.
- Learning stops when rows that are held out no longer gain.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ounce_exporters.ladder.recipe import Progress
from ounce_exporters.training.checkpoints import next_checkpoint
from ounce_exporters.training.fits import Stateful, identify, resume, standing
from ounce_exporters.training.neural import reproducible
from ounce_exporters.training.stopping import Best, hold_out

LEAST_PROBABILITY = 1e-9
"""A smaller one counts as this: zero has no logarithm."""
FAR = 8.0
"""Standard deviations from the mean at which a number is cut where it goes in as it is."""


@dataclass(frozen=True)
class Shape:
    """Size of a network."""

    members: int = 8
    width: int = 64
    intervals: int = 16
    dropout: float = 0.1


@dataclass(frozen=True)
class Schedule:
    """How it learns."""

    learning_rate: float = 4e-3
    weight_decay: float = 1e-2
    most_epochs: int = 100
    most_steps: int = 2000
    patience: int = 12
    """Epochs without a gain before it stops."""


@dataclass(frozen=True)
class Lesson:
    """What a network learns from."""

    features: NDArray[np.float32]
    """Shape (n_rows, n_features)."""
    targets: NDArray[Any]
    """Label indices, int64, or standardized values, float32; shape (n_rows,). Or probabilities of
    classes, float32, shape (n_rows, n_labels)."""
    weights: NDArray[np.float64]
    """Of rows, mean 1, shape (n_rows,)."""


class TableNetwork(nn.Module):
    """Reads features of shape (n_rows, n_features); gives log probabilities or a value.

    Args:
        edges: ends of the intervals of each number, ascending, shape (n_numbers, n_intervals + 1);
            numbers come first among the features.
        n_others: features behind the numbers, which are taken as they are.
        n_outputs: classes, or 1 for a value.
        shape: sizes.
    """

    lows: Tensor
    inverse_widths: Tensor

    def __init__(
        self, edges: NDArray[np.float32], n_others: int, n_outputs: int, shape: Shape
    ) -> None:
        super().__init__()
        lows = torch.from_numpy(edges[:, :-1])
        widths = torch.from_numpy(edges[:, 1:]) - lows
        self.register_buffer("lows", lows)
        # An interval of no width, where many rows have one value, is a step.
        self.register_buffer("inverse_widths", 1.0 / torch.clamp(widths, min=1e-6))
        self.n_numbers, self.n_outputs = len(edges), n_outputs
        members, width = shape.members, shape.width
        n_features = lows.numel() + len(edges) + n_others
        self.first = nn.Linear(n_features, width, bias=False)
        self.second = nn.Linear(width, width, bias=False)
        self.scales = nn.ParameterList(
            nn.Parameter(torch.randint(0, 2, (members, width)) * 2.0 - 1.0) for _ in range(2)
        )
        bound = width**-0.5
        self.biases = nn.ParameterList(
            nn.Parameter(torch.empty(members, width).uniform_(-bound, bound)) for _ in range(2)
        )
        last = torch.empty(members, width, n_outputs).uniform_(-bound, bound)
        self.last = nn.Parameter(last)
        self.last_bias = nn.Parameter(torch.zeros(members, 1, n_outputs))
        self.dropout = nn.Dropout(shape.dropout)

    def members(self, x: Tensor) -> Tensor:
        """What each member says, shape (n_rows, n_members, n_outputs)."""
        numbers, others = x[:, : self.n_numbers], x[:, self.n_numbers :]
        through = (numbers.unsqueeze(2) - self.lows) * self.inverse_widths
        embedded = through.clamp(0.0, 1.0).flatten(1)
        features = torch.cat([embedded, numbers.clamp(-FAR, FAR), others], dim=1)
        hidden = self.first(features).unsqueeze(1) * self.scales[0] + self.biases[0]
        hidden = self.dropout(torch.relu(hidden))
        hidden = torch.relu(self.second(hidden) * self.scales[1] + self.biases[1])
        hidden = self.dropout(hidden)
        said: Tensor = torch.matmul(hidden.transpose(0, 1), self.last) + self.last_bias
        return said.transpose(0, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logarithms of mean probabilities, or mean values; shape (n_rows, n_outputs)."""
        said = self.members(x)
        if self.n_outputs == 1:
            return said.mean(dim=1)
        return torch.log(torch.clamp(torch.softmax(said, dim=2).mean(dim=1), min=LEAST_PROBABILITY))


def find_edges(numbers: NDArray[np.float32], intervals: int) -> NDArray[np.float32]:
    """Ends of intervals with about equally many rows each, shape (n_numbers, intervals + 1)."""
    at = np.linspace(0, 1, intervals + 1)
    return np.quantile(numbers, at, axis=0).T.astype(np.float32)


def fit_network(
    make: Callable[[], TableNetwork],
    lesson: Lesson,
    schedule: Schedule,
    seed: int,
    progress: Progress,
) -> TableNetwork:
    """Train a network; the weights of its best epoch are kept. A seed gives the same weights.

    Args:
        make: builds the network; called after the seed is set.
        lesson: rows to learn from.
        schedule: how it learns.
        seed: of initial weights, order, dropout, and which rows are held out.
        progress: told the share of epochs that are done.
    """
    held, kept = hold_out(lesson.targets, seed)
    x = torch.from_numpy(np.ascontiguousarray(lesson.features))
    y = torch.from_numpy(lesson.targets)
    w = torch.from_numpy(lesson.weights.astype(np.float32))
    with reproducible(seed):
        generator = torch.Generator().manual_seed(seed)
        network = make().train()
        optimizer = torch.optim.AdamW(
            network.parameters(),
            lr=schedule.learning_rate,
            weight_decay=schedule.weight_decay,
            fused=True,
        )
        size = int(np.clip(len(kept) // 8, 32, 256))
        batches = math.ceil(len(kept) / size)
        epochs = int(np.clip(schedule.most_steps // batches, 10, schedule.most_epochs))
        best = Best(network, schedule.patience)
        parts: dict[str, Stateful] = {"best": best, "network": network, "optimizer": optimizer}
        checkpoint = next_checkpoint(lambda: identify(network, vars(lesson), schedule, seed))
        state = checkpoint.read()
        if state is not None:
            resume(state, parts, generator)
        for epoch in range(0 if state is None else state["epochs"], epochs):
            if best.is_over:
                break
            network.train()
            order = torch.randperm(len(kept), generator=generator).numpy()
            for chosen in np.array_split(kept[order], batches):
                loss = _loss(network.members(x[chosen]), y[chosen], w[chosen])
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                nn.utils.clip_grad_norm_(network.parameters(), 1.0)
                optimizer.step()
            network.eval()
            with torch.inference_mode():
                said = network(x[held]).unsqueeze(1)
                now = float(_loss(said, y[held], w[held]))
            best.judge(network, now)
            checkpoint.write(
                partial(standing, parts, generator, epochs=epoch + 1),
                ended=best.is_over or epoch + 1 == epochs,
            )
            progress((epoch + 1) / epochs)
        network.load_state_dict(best.weights)
    progress(1.0)
    return network.eval()


def _loss(said: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean over rows and members, each of which learns for itself."""
    n_rows, n_members, n_outputs = said.shape
    if n_outputs == 1:
        errors = (said[:, :, 0] - targets[:, None]) ** 2
    else:
        errors = nn.functional.cross_entropy(
            said.reshape(-1, n_outputs), targets.repeat_interleave(n_members, 0), reduction="none"
        ).reshape(n_rows, n_members)
    return (errors * weights[:, None]).mean()
