"""How long one fit of a kind of model takes, in nominal seconds of one core: no clock is asked."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from ounce_schemas.task import TaskSpec

from ounce_exporters.ladder.recipe import TaskData
from ounce_exporters.tasks.table.workload import row_work_us

_FIT_S = 0.03
"""Of any fit, however few its rows; of some kinds more."""
_SLOW_FIT_S: Mapping[str, float] = MappingProxyType(
    {"mlp": 0.5, "mlp-small": 0.4, "glass-box": 0.3, "random-forest": 0.15, "extra-trees": 0.12,
     "gradient-boosting": 0.1, "kernel-svm": 0.1, "cluster-network": 6.0, "autoencoder": 6.0}
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
        "hashed-mlp": _Lesson(8, 0, 8, (64, 64), 10.0, 230.0, _ANY),
        "byte-cnn": _Lesson(12, 0, 12, (64, 64), 4.0, 60.0, _ANY),
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
    row_us = _ROWS_US.get(name) or row_work_us(name, data)
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
