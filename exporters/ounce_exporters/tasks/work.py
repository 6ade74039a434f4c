"""How long one fit of a kind of model takes, in nominal seconds of one core: no clock is asked."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from ounce_schemas.task import TaskSpec

from ounce_exporters.ladder.recipe import TaskData
from ounce_exporters.training.boosting import relative_work

_TYPICAL_COLUMNS = 10
_ROW_US = {
    "ridge": 0.5,
    "elastic-net": 5.0,
    "linear-svm": 5.0,
    "logistic-regression": 1.5,
    "decision-tree": 9.0,
    "gradient-boosting": 12.0,
    "extra-trees": 60.0,
    "gradient-boosting-small": 2.0,
    "extra-trees-small": 7.0,
    "random-forest-small": 18.0,
    "mlp": 100.0,
    "mlp-small": 50.0,
    "glass-box": 120.0,
    "random-forest": 150.0,
    "kernel-svm": 400.0,
    "small-cnn": 8.0,
    "cnn": 40.0,
    "residual-cnn": 120.0,
}
"""One training row of ten columns in one fit, on one core of 2020; of two classes. The kernel SVM
counts for more than it takes: each row fills 6 kB of memory."""
_OTHER_ROW_US = 150.0
_BY_ROOT = ("mlp", "mlp-small", "random-forest", "random-forest-small", "extra-trees",
            "extra-trees-small", "kernel-svm")  # fmt: skip
"""Models whose work grows more slowly than the columns: about as their root."""
_STATISTICS, _MOST_PIXELS = 7, 28 * 28
"""Of a sequence's channel, and of an image: what classical models read."""
_FIT_S = 0.03
"""Of any fit, however few its rows; of some kinds more."""
_SLOW_FIT_S: Mapping[str, float] = MappingProxyType(
    {"mlp": 0.5, "mlp-small": 0.4, "glass-box": 0.3, "random-forest": 0.15, "extra-trees": 0.12,
     "gradient-boosting": 0.1, "kernel-svm": 0.1, "minirocket": 0.3,
     "cluster-network": 6.0, "autoencoder": 6.0}
)  # fmt: skip


class _Lesson(NamedTuple):
    """How a network learns: see the module of its family."""

    epochs: int
    least_batches: int
    """Of few items, more epochs."""
    most_epochs: int
    batch_sizes: tuple[int, int]
    """A sixteenth of the items, from the first to the second."""
    batch_ms: float
    """Of a batch, whatever is in it."""
    element_us: float
    """Of a batch, for each element of an item that the network reads."""
    most_elements: int
    """Read of an item: larger images are scaled."""


_ANY = 10**9
_NETWORKS: Mapping[str, _Lesson] = MappingProxyType(
    {
        "small-cnn": _Lesson(30, 300, _ANY, (32, 32), 4.0, 20.0, 16 * 16),
        "cnn": _Lesson(20, 300, _ANY, (32, 32), 5.0, 22.0, 32 * 32),
        "residual-cnn": _Lesson(15, 300, _ANY, (32, 32), 13.0, 90.0, 64 * 64),
        "mlp-1d": _Lesson(10, 2000, 60, (8, 64), 1.0, 1.0, _ANY),
        "cnn-1d": _Lesson(10, 2000, 60, (8, 64), 9.0, 13.0, _ANY),
        "gru": _Lesson(10, 2000, 60, (8, 64), 1.0, 300.0, _ANY),
        "hashed-mlp": _Lesson(8, 400, 40, (64, 64), 1.0, 95.0, _ANY),
        "byte-cnn": _Lesson(12, 400, 40, (64, 64), 7.0, 65.0, _ANY),
    }
)
"""Of images, sequences and texts; measured on one core of 2020."""
_ROWS_US: Mapping[str, float] = MappingProxyType(
    {"hashed-linear": 80.0, "minirocket": 1_500.0, "mahalanobis": 10.0, "isolation-forest": 50.0,
     "k-means": 10.0, "diagonal-mixture": 40.0, "gaussian-mixture": 60.0, "cluster-network": 60.0}
)  # fmt: skip
"""Microseconds of a row of these models, which the workload of tables does not know."""


def fit_work_s(name: str, n_rows: int, data: TaskData) -> float:
    """Nominal seconds of one fit.

    Args:
        name: of the kind of model.
        n_rows: that it learns from.
        data: of the task, for the size of an item.
    """
    lesson = _NETWORKS.get(name)
    if lesson is not None:
        return _FIT_S + _network_s(lesson, n_rows, data)
    row_us = _ROWS_US.get(name) or row_work_us(name, data, _columns(data.spec))
    return _SLOW_FIT_S.get(name, _FIT_S) + n_rows * row_us / 1e6


def _network_s(lesson: _Lesson, n_rows: int, data: TaskData) -> float:
    elements = _elements(data.spec)
    least, most = lesson.batch_sizes
    batches = max(1, -(-n_rows // min(max(n_rows // 16, least), most)))
    epochs = min(max(lesson.epochs, lesson.least_batches // batches), lesson.most_epochs)
    batch_ms = lesson.batch_ms + min(elements, lesson.most_elements) * lesson.element_us / 1e3
    return epochs * batches * batch_ms / 1e3


def _elements(task: TaskSpec) -> int:
    """Pixels of an image, bytes of all texts, or steps of a sequence."""
    if task.image is not None:
        height, width, _ = task.image.shape
        return height * width
    texts = sum(tensor.size * (tensor.text_bytes or 0) for tensor in task.inputs)
    return texts or task.inputs[0].shape[0]


def _columns(task: TaskSpec) -> int:
    """Numbers that a classical model reads of an item."""
    first = task.inputs[0]
    if first.channels is not None:
        return _STATISTICS * len(first.channels)
    if task.image is not None:
        return min(first.size, _MOST_PIXELS)
    return sum(tensor.size for tensor in task.inputs)


def row_work_us(name: str, data: TaskData, n_columns: int | None = None) -> float:
    """Nominal microseconds of a training row in one fit of a kind of model.

    Args:
        name: of the kind of model.
        data: of the task.
        n_columns: that the model reads; default: all numbers of an item.
    """
    if n_columns is None:
        n_columns = sum(tensor.size for tensor in data.spec.inputs)
    per_column = max(n_columns / _TYPICAL_COLUMNS, 0.5)
    if name in _BY_ROOT:
        per_column **= 0.5
    n_classes = len(data.spec.labels)
    per_class = 1.0
    if name == "logistic-regression" and n_classes > 2:
        per_class = n_classes
    elif name.startswith("gradient-boosting"):
        per_class = relative_work(n_classes)
    return _ROW_US.get(name, _OTHER_ROW_US) * per_column * per_class
