"""Networks that read texts byte by byte: embeddings of hashed n-grams, and convolutions."""

from dataclasses import replace
from typing import cast

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper
from ounce_schemas.task import TaskSpec, TensorSpec
from torch import Tensor, nn

from ounce_exporters.crossfit import select
from ounce_exporters.export.graphs import IR_VERSION, OPSET, chain, declare
from ounce_exporters.recipe import Inputs, Progress, TaskData
from ounce_exporters.sampling import balanced_rows
from ounce_exporters.training.byte_ngrams import FACTOR, LOWER, SIZES, encode, text_tensor
from ounce_exporters.training.neural import Training, count_weights, export, fit_task, run

_BUCKETS = 8_191
"""A prime. Embeddings take more memory than weights, so there are fewer."""
_EMBEDDED = 16
_DROPPED = 0.3
"""Share of n-grams that are left out at random while learning."""
_MLP = Training(epochs=8, learning_rate=1e-2, weight_decay=1e-4, label_smoothing=0.0, patience=3)
_CNN = Training(epochs=12, learning_rate=4e-3, label_smoothing=0.0, patience=3)


class HashedMLP(nn.Module):
    """Embeddings of n-grams, summed (A. Joulin et al., "Bag of Tricks for Efficient Text
    Classification", EACL 2017), and one hidden layer. Reads bytes as float32, shape (n, n_bytes).
    """

    lower: Tensor

    def __init__(self, n_outputs: int, width: int = 32) -> None:
        super().__init__()
        self.register_buffer("lower", torch.from_numpy(LOWER.astype(np.int64)))
        self.table = nn.Embedding(_BUCKETS * len(SIZES), _EMBEDDED)
        nn.init.normal_(self.table.weight, std=0.1)
        self.hidden = nn.Linear(_EMBEDDED, width)
        self.last = nn.Linear(width, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Logits or values, shape (n, n_outputs)."""
        lowered = self.lower[x.long()]
        padded = nn.functional.pad(lowered, (0, SIZES[-1] - 1))
        n_bytes = x.shape[1]
        hashes, found = lowered, []
        for place, size in enumerate(SIZES):
            following = padded[:, size - 1 : size - 1 + n_bytes]
            hashes = (hashes * FACTOR + following) % _BUCKETS
            found.append(hashes + place * _BUCKETS)
        features = torch.cat(found, dim=1)
        is_one = (features % _BUCKETS != 0).float()
        if self.training:
            is_one = is_one * (torch.rand_like(is_one) > _DROPPED).float() / (1.0 - _DROPPED)
        sums = torch.matmul(is_one.unsqueeze(1), self.table(features)).squeeze(1)
        sizes = (x > 0).float().sum(dim=1, keepdim=True).clamp(min=1.0)
        return cast(Tensor, self.last(torch.relu(self.hidden(sums / torch.sqrt(sizes)))))


class ByteCNN(nn.Module):
    """Two convolutions and the greatest value of each channel (X. Zhang, J. Zhao and Y. LeCun,
    "Character-level Convolutional Networks for Text Classification", NIPS 2015). Reads bytes as
    float32, shape (n, n_bytes)."""

    lower: Tensor

    def __init__(self, n_outputs: int, width: int = 48) -> None:
        super().__init__()
        self.register_buffer("lower", torch.from_numpy(LOWER.astype(np.int64)))
        self.table = nn.Embedding(256, 12)
        self.first = nn.Conv1d(12, width, 7, stride=2, padding=3)
        self.second = nn.Conv1d(width, width, 5, stride=2, padding=2)
        self.dropout = nn.Dropout(0.2)
        self.last = nn.Linear(width, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Logits or values, shape (n, n_outputs)."""
        embedded = self.table(self.lower[x.long()]).transpose(1, 2)
        hidden = torch.relu(self.second(torch.relu(self.first(embedded))))
        return cast(Tensor, self.last(self.dropout(hidden.amax(dim=2))))


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
    encoded = encode(task, data.train.inputs).astype(np.float32)
    n_outputs = len(task.labels) or 1
    network = fit_task(lambda: kind(n_outputs), encoded, targets, training, seed, progress)
    return ByteModel(network, task)


class ByteModel:
    """Implements `FittedModel` for a network that reads the bytes of a task's texts."""

    def __init__(self, network: nn.Module, task: TaskSpec) -> None:
        self._network, self._task = network, task

    @property
    def parameters(self) -> int:
        """Learned weights."""
        return count_weights(self._network)

    def predict(self, inputs: Inputs) -> NDArray[np.float32]:
        """Logits of shape (n_items, n_labels), or values of shape (n_items, 1)."""
        return run(self._network, encode(self._task, inputs).astype(np.float32))

    def to_onnx(self) -> onnx.ModelProto:
        """The network behind a cast of bytes to float32, with the one output `uncalibrated`.

        Raises:
            ExportError: PyTorch can't export it.
        """
        tensor = text_tensor(self._task)
        n_bytes = tensor.size * (tensor.text_bytes or 0)
        made = helper.make_tensor_value_info("bytes", TensorProto.FLOAT, ["batch", n_bytes])
        nodes = [
            helper.make_node("Flatten", [tensor.name], ["flat"], axis=1),
            helper.make_node("Cast", ["flat"], ["bytes"], to=TensorProto.FLOAT),
        ]
        graph = helper.make_graph(nodes, "bytes", [declare(tensor)], [made])
        opsets = [helper.make_opsetid("", OPSET)]
        first = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
        between = TensorSpec(name="bytes", datatype="FP32", shape=(n_bytes,))
        return chain(first, export(self._network, between))
