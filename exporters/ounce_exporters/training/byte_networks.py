"""Networks that read texts byte by byte: embeddings of hashed n-grams, and convolutions.

Features of the columns beside the texts join them before the last layers.
"""

from dataclasses import replace
from typing import Any, cast

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper
from ounce_schemas.task import TaskSpec, TensorSpec
from torch import Tensor, nn

from ounce_exporters.export.dense import build
from ounce_exporters.export.graphs import chain, declare, side_by_side
from ounce_exporters.ladder.recipe import Inputs, Progress, TaskData
from ounce_exporters.tasks.table.preprocessing import preprocessing
from ounce_exporters.training.byte_ngrams import (
    CHAINS,
    FACTOR,
    LOWER,
    SIZES,
    encode,
    rest_of,
    text_tensor,
)
from ounce_exporters.training.classical import as_matrix, convert
from ounce_exporters.training.crossfit import select
from ounce_exporters.training.neural import Training, count_weights, export, fit_task, run
from ounce_exporters.training.sampling import balanced_rows
from ounce_exporters.training.tabular import FAR

_BUCKETS = 8_191
"""A prime. Embeddings take more memory than weights, so there are fewer."""
_EMBEDDED = 16
_DROPPED = 0.3
"""Share of n-grams that are left out at random while learning."""
_READ = "read"
"""Name of the tensor that a network reads."""
_WIDTH_BESIDE = 32
"""Of the layer that reads the other columns' features."""
_LEAST_STEPS, _MOST_EPOCHS = 400, 40
"""Batches that a network learns from, also of few texts; and how often of each."""
_MLP = Training(epochs=8, learning_rate=1e-2, weight_decay=1e-4, label_smoothing=0.0, patience=3)
_CNN = Training(epochs=12, learning_rate=4e-3, label_smoothing=0.0, patience=3)


class Beside(nn.Module):
    """What the other columns' features add to what is known of a text.

    Args:
        n_bytes: of the texts, which come first in a row.
        n_features: behind them; none: nothing is added.
    """

    def __init__(self, n_bytes: int, n_features: int) -> None:
        super().__init__()
        self.n_bytes = n_bytes
        self.layer = nn.Linear(n_features, _WIDTH_BESIDE) if n_features else None
        self.width = _WIDTH_BESIDE if n_features else 0

    def forward(self, x: Tensor, of_text: Tensor) -> Tensor:
        """`of_text` and a hidden layer of the features, side by side; shape (n, width)."""
        if self.layer is None:
            return of_text
        features = x[:, self.n_bytes :].clamp(-FAR, FAR)
        return torch.cat([of_text, torch.relu(self.layer(features))], dim=1)


class HashedMLP(nn.Module):
    """Embeddings of n-grams, summed (A. Joulin et al., "Bag of Tricks for Efficient Text
    Classification", EACL 2017), and one hidden layer. Reads bytes as float32, and features of other
    columns behind them, shape (n, n_bytes + n_features)."""

    lower: Tensor
    alike: Tensor

    def __init__(self, n_outputs: int, beside: Beside, width: int = 32) -> None:
        super().__init__()
        self.beside = beside
        self.register_buffer("lower", torch.from_numpy(CHAINS[0][0].astype(np.int64)))
        self.register_buffer("alike", torch.from_numpy(CHAINS[1][0].astype(np.int64)))
        self.table = nn.Embedding(_BUCKETS * len(SIZES), _EMBEDDED)
        nn.init.normal_(self.table.weight, std=0.1)
        self.hidden = nn.Linear(_EMBEDDED + beside.width, width)
        self.last = nn.Linear(width, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Logits or values, shape (n, n_outputs)."""
        n_bytes = self.beside.n_bytes
        text = x[:, :n_bytes]
        found = {}
        for mapping, (_, sizes) in zip((self.lower, self.alike), CHAINS, strict=True):
            hashes = mapping[text.long()]
            padded = nn.functional.pad(hashes, (0, SIZES[-1] - 1))
            for place, size in enumerate(SIZES[: SIZES.index(sizes[-1]) + 1]):
                following = padded[:, size - 1 : size - 1 + n_bytes]
                hashes = (hashes * FACTOR + following) % _BUCKETS
                if size in sizes:
                    found[size] = hashes + place * _BUCKETS
        features = torch.cat([found[size] for size in SIZES], dim=1)
        is_one = (features % _BUCKETS != 0).float()
        if self.training:
            is_one = is_one * (torch.rand_like(is_one) > _DROPPED).float() / (1.0 - _DROPPED)
        sums = torch.matmul(is_one.unsqueeze(1), self.table(features)).squeeze(1)
        n_real = (text > 0).float().sum(dim=1, keepdim=True).clamp(min=1.0)
        known = self.beside(x, sums / torch.sqrt(n_real))
        return cast(Tensor, self.last(torch.relu(self.hidden(known))))


class ByteCNN(nn.Module):
    """Two convolutions and the greatest value of each channel (X. Zhang, J. Zhao and Y. LeCun,
    "Character-level Convolutional Networks for Text Classification", NIPS 2015). Reads what
    `HashedMLP` reads."""

    lower: Tensor

    def __init__(self, n_outputs: int, beside: Beside, width: int = 48) -> None:
        super().__init__()
        self.beside = beside
        self.register_buffer("lower", torch.from_numpy(LOWER.astype(np.int64)))
        self.table = nn.Embedding(256, 12)
        self.first = nn.Conv1d(12, width, 7, stride=2, padding=3)
        self.second = nn.Conv1d(width, width, 5, stride=2, padding=2)
        self.dropout = nn.Dropout(0.2)
        self.last = nn.Linear(width + beside.width, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Logits or values, shape (n, n_outputs)."""
        text = x[:, : self.beside.n_bytes]
        embedded = self.table(self.lower[text.long()]).transpose(1, 2)
        hidden = torch.relu(self.second(torch.relu(self.first(embedded))))
        return cast(Tensor, self.last(self.dropout(self.beside(x, hidden.amax(dim=2)))))


def fit_hashed_mlp(
    data: TaskData, seed: int, progress: Progress, *, balanced: bool = False
) -> "ByteModel":
    """Train on `data.train`; arguments as of `fit_hashed_linear`."""
    return _fit(HashedMLP, _MLP, _lesson(data, seed, balanced=balanced), seed, progress)


def fit_byte_cnn(
    data: TaskData, seed: int, progress: Progress, *, balanced: bool = False
) -> "ByteModel":
    """Train on `data.train`; arguments as of `fit_hashed_linear`."""
    return _fit(ByteCNN, _CNN, _lesson(data, seed, balanced=balanced), seed, progress)


def _lesson(data: TaskData, seed: int, *, balanced: bool) -> TaskData:
    """The data; balanced, rare classes come as often as frequent ones."""
    if not balanced or not data.spec.classifies:
        return data
    return replace(data, train=select(data.train, balanced_rows(data.train.targets, seed)))


def _fit(
    kind: type[HashedMLP] | type[ByteCNN],
    training: Training,
    data: TaskData,
    seed: int,
    progress: Progress,
) -> "ByteModel":
    task, targets = data.spec, data.train.lesson
    rest = rest_of(task)
    rows, columns = encode(task, data.train.inputs).astype(np.float32), None
    n_bytes = rows.shape[1]
    if rest.inputs:
        columns = preprocessing(rest)
        matrix = as_matrix(rest, data.train.inputs)
        rows = _side_by_side(rows, columns.fit_transform(matrix, data.train.targets))
    n_outputs = len(task.labels) or 1
    batches = -(-len(rows) // training.batch_size)
    epochs = max(training.epochs, min(_LEAST_STEPS // batches, _MOST_EPOCHS))

    def make() -> nn.Module:
        return kind(n_outputs, Beside(n_bytes, rows.shape[1] - n_bytes))

    network = fit_task(make, rows, targets, replace(training, epochs=epochs), seed, progress)
    return ByteModel(network, task, columns, rows.shape[1])


def _side_by_side(encoded: NDArray[np.float32], beside: Any) -> NDArray[np.float32]:
    return np.hstack([encoded, np.asarray(beside, np.float32)])


class ByteModel:
    """Implements `FittedModel` for a network that reads the bytes of a task's texts.

    Args:
        network: reads bytes, and features behind them.
        task: its text input and the others.
        columns: fitted preprocessing of the other inputs; None where there are none.
        n_read: bytes and features that the network reads.
    """

    def __init__(self, network: nn.Module, task: TaskSpec, columns: Any, n_read: int) -> None:
        self._network, self._task, self._columns = network, task, columns
        self._n_read = n_read

    @property
    def parameters(self) -> int:
        """Learned weights."""
        return count_weights(self._network)

    def predict(self, inputs: Inputs) -> NDArray[np.float32]:
        """Logits of shape (n_items, n_labels), or values of shape (n_items, 1)."""
        rows = encode(self._task, inputs).astype(np.float32)
        if self._columns is not None:
            matrix = as_matrix(rest_of(self._task), inputs)
            rows = _side_by_side(rows, self._columns.transform(matrix))
        return run(self._network, rows)

    def to_onnx(self) -> onnx.ModelProto:
        """The network behind what makes its rows, with the one output `uncalibrated`.

        Raises:
            ExportError: PyTorch can't export it, or the other columns' preprocessing can't be
                converted.
        """
        first = self._text_graph()
        if self._columns is not None:
            steps = convert(self._columns, rest_of(self._task))
            first = side_by_side(first, steps, _READ, "Concat", axis=1)
        between = TensorSpec(name=_READ, datatype="FP32", shape=(self._n_read,))
        return chain(first, export(self._network, between))

    def _text_graph(self) -> onnx.ModelProto:
        tensor = text_tensor(self._task)
        n_bytes = tensor.size * (tensor.text_bytes or 0)
        nodes = [
            # Floats first: TensorRT does nothing else with bytes.
            helper.make_node("Cast", [tensor.name], ["numbers"], to=TensorProto.FLOAT),
            helper.make_node("Flatten", ["numbers"], [_READ], axis=1),
        ]
        return build("bytes", nodes, [declare(tensor)], (_READ, n_bytes), {})
