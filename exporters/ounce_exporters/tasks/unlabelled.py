"""What the models of strange items and of clusters read where a task's inputs are no plain columns.

Each function is `make_extractor` of `fit_behind`.
"""

from collections.abc import Callable

from ounce_schemas.task import TaskSpec
from torch import nn

from ounce_exporters.ladder.recipe import TaskData
from ounce_exporters.training.featured import Extractor, TorchExtractor
from ounce_exporters.training.pixels import pixel_features
from ounce_exporters.training.projection import Projection
from ounce_exporters.training.sequences import statistics
from ounce_exporters.training.text_features import TextFeatures

_SIDE = 14
"""Pixels of the longer side that are looked at."""
_STRANGE_COMPONENTS, _CLUSTER_COMPONENTS = 32, 16

Make = Callable[[TaskData], Extractor]


def strange_features(task: TaskSpec) -> tuple[Make, str]:
    """What tells strange items of a task from normal ones, and how a card calls it."""
    if task.image is not None:
        return _strange_image, f"{_STRANGE_COMPONENTS} principal components and what they leave"
    if task.inputs[0].channels is not None:
        return lambda data: _extractor(statistics(data), data), "statistics of each channel"
    return lambda data: TextFeatures(data, strange=True), "topics of hashed byte n-grams"


def cluster_features(task: TaskSpec) -> tuple[Make, str]:
    """What items of a task are alike in, and how a card calls it."""
    if task.image is not None:
        return _grouped_image, f"{_CLUSTER_COMPONENTS} principal components"
    if task.inputs[0].channels is not None:
        told = f"{_CLUSTER_COMPONENTS} principal components of statistics of each channel"
        return _grouped_sequence, told
    return lambda data: TextFeatures(data, strange=False), "topics of hashed byte n-grams"


def _strange_image(data: TaskData) -> Extractor:
    pixels, images = pixel_features(data, side=_SIDE), data.train.inputs[data.spec.inputs[0].name]
    return _extractor(Projection(pixels, images, _STRANGE_COMPONENTS, remainder=True), data)


def _grouped_image(data: TaskData) -> Extractor:
    pixels, images = pixel_features(data, side=_SIDE), data.train.inputs[data.spec.inputs[0].name]
    return _extractor(Projection(pixels, images, _CLUSTER_COMPONENTS), data)


def _grouped_sequence(data: TaskData) -> Extractor:
    sequences = data.train.inputs[data.spec.inputs[0].name]
    found = Projection(statistics(data), sequences, _CLUSTER_COMPONENTS, standardize=True)
    return _extractor(found, data)


def _extractor(module: nn.Module, data: TaskData) -> Extractor:
    return TorchExtractor(module, data.spec.inputs[0])
