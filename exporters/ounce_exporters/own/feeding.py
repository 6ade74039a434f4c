"""What a frozen backbone's input is fed with: images and sequences in its layout, gaps filled."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper
from ounce_schemas.errors import DataError, ExportError
from ounce_schemas.task import TensorSpec
from ounce_schemas.wording import counted

from ounce_exporters.own.answers import Port

ELEMENTS = {
    "tensor(float)": TensorProto.FLOAT,
    "tensor(double)": TensorProto.DOUBLE,
    "tensor(float16)": TensorProto.FLOAT16,
    "tensor(int64)": TensorProto.INT64,
    "tensor(int32)": TensorProto.INT32,
    "tensor(uint8)": TensorProto.UINT8,
}
"""Types of an input that numbers are cast to."""
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Means and deviations of red, green and blue in [0, 1], as torchvision's networks want them."""
_RANGE = re.compile(r"(-?\d{1,4}(?:\.\d+)?)\.\.(-?\d{1,4}(?:\.\d+)?)")


@dataclass(frozen=True)
class Range:
    """What pixels of 0 to 255 become: times `scale`, and `offset` added; one number a channel."""

    scale: tuple[float, ...]
    offset: tuple[float, ...]


def read_range(text: str) -> Range:
    """A range as it is typed: `0..1`, `-1..1`, or `imagenet`.

    Raises:
        DataError: it is none.
    """
    if text == "imagenet":
        means, deviations = _IMAGENET
        return Range(
            tuple(1 / (255 * d) for d in deviations),
            tuple(-m / d for m, d in zip(means, deviations, strict=True)),
        )
    found = _RANGE.fullmatch(text)
    if found is None or float(found[1]) >= float(found[2]):
        raise DataError(f"--pixels {text!r}: give LOW..HIGH, such as 0..1 or -1..1, or imagenet")
    low, high = float(found[1]), float(found[2])
    return Range(((high - low) / 255,), (low,))


@dataclass
class Feeding:
    """Operators in front of a backbone, and their constants."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, NDArray[Any]] = field(default_factory=dict)

    def add(self, operator: str, source: str, *values: NDArray[Any], **attributes: Any) -> str:
        """Add an operator behind `source`; returns the name of what it makes."""
        made = f"feeding/{len(self.nodes)}/{operator}"
        names = [f"{made}/{i}" for i in range(len(values))]
        self.constants.update(zip(names, values, strict=True))
        self.nodes.append(helper.make_node(operator, [source, *names], [made], **attributes))
        return made

    def take(self, nodes: Sequence[onnx.NodeProto], constants: Mapping[str, NDArray[Any]]) -> None:
        """Add operators that are made already."""
        self.nodes.extend(nodes)
        self.constants.update(constants)

    def fill(self, tensor: TensorSpec, values: NDArray[Any]) -> str:
        """The tensor with the means of its columns or channels where values are missing.

        Args:
            tensor: of the task.
            values: of the training rows, array of shape (n_items, ..., n_columns).
        """
        if tensor.datatype != "FP32" or not tensor.allow_missing:
            return tensor.name
        flat = values.reshape(-1, values.shape[-1]).astype(np.float64)
        present = (~np.isnan(flat)).sum(axis=0)
        means = np.where(np.isnan(flat), 0.0, flat).sum(axis=0) / np.maximum(present, 1)
        missing = self.add("IsNaN", tensor.name)
        made, mean = f"{missing}/filled", f"{missing}/mean"
        self.constants[mean] = means.astype(np.float32)
        self.nodes.append(helper.make_node("Where", [missing, mean, tensor.name], [made]))
        return made

    def end(self, source: str, port: Port, to: str) -> None:
        """Cast to the backbone's type and give it the backbone's name."""
        cast = self.add("Cast", source, to=ELEMENTS[port.kind])
        self.nodes.append(helper.make_node("Identity", [cast], [to]))


def feed_image(port: Port, tensor: TensorSpec, pixels: Range, to: str) -> Feeding:
    """An image in the layout, size and range of an input. Grey becomes three equal channels.

    Args:
        port: of shape (batch, channels, height, width), (batch, height, width, channels), or
            (batch, numbers) of grey pixels.
        tensor: of the task, of shape (height, width, channels).
        pixels: the range; inputs of uint8 get pixels as they are.
        to: the input's name in the graph.

    Raises:
        ExportError: no layout fits.
    """
    height, width, own = tensor.shape
    result = Feeding()
    value = result.add("Cast", tensor.name, to=TensorProto.FLOAT)
    value = result.add("Transpose", value, perm=[0, 3, 1, 2])
    flat = len(port.shape) == 2 and port.shape[1] in (None, tensor.size) and own == 1
    sides = (port.shape[1], height, width, own) if flat else port.shape[1:]
    first = flat or _channels_first(port, own)
    channels = own if flat else port.shape[1] if first else port.shape[3]
    channels = own if channels is None else channels
    if channels == 3 and own == 1:
        value = result.add("Tile", value, np.array([1, 3, 1, 1]))
    elif channels != own:
        raise ExportError(
            f"its input {port.name!r} has {counted(channels, 'channel')}, and the task's images "
            f"have {own}: give --image {height}x{width}x{channels}"
        )
    if not flat:
        wanted = sides[1:] if first else sides[:2]
        size = [given or here for given, here in zip(wanted, (height, width), strict=True)]
        if size != [height, width]:
            value = _resized(result, value, size)
    if port.kind != "tensor(uint8)":
        value = _scaled(result, value, pixels, channels, port)
    if not first:
        value = result.add("Transpose", value, perm=[0, 2, 3, 1])
    if flat:
        value = result.add("Flatten", value, axis=1)
    result.end(value, port, to)
    return result


def _channels_first(port: Port, own: int) -> bool:
    if len(port.shape) == 4:
        if port.shape[1] in (1, 3):
            return True
        if port.shape[3] in (1, 3):
            return False
        if port.shape[1] is None:
            return port.shape[3] is not None or port.shape[2] is None
    shape = ", ".join("?" if d is None else str(d) for d in port.shape)
    raise ExportError(
        f"its input {port.name!r} of shape [{shape}] reads no images: they are of shape [batch, "
        f"{own}, height, width], or with the channels last"
    )


def _resized(result: Feeding, value: str, size: Sequence[int]) -> str:
    made = f"{value}/resized"
    result.constants[f"{made}/size"] = np.array(size, np.int64)
    result.nodes.append(
        helper.make_node(
            "Resize",
            [value, "", "", f"{made}/size"],
            [made],
            mode="linear",
            axes=[2, 3],
            coordinate_transformation_mode="half_pixel",
        )
    )
    return made


def _scaled(result: Feeding, value: str, pixels: Range, channels: int, port: Port) -> str:
    if len(pixels.scale) not in (1, channels):
        raise ExportError(
            f"its input {port.name!r} has {channels} channel: --pixels imagenet is for three"
        )
    scale, offset = (
        np.array(v, np.float32).reshape(1, -1, 1, 1) for v in (pixels.scale, pixels.offset)
    )
    return result.add("Add", result.add("Mul", value, scale), offset)


def feed_sequence(
    port: Port, tensor: TensorSpec, sequences: NDArray[np.float32], to: str
) -> Feeding:
    """Steps in the layout of an input; gaps are filled with the mean of their channel.

    Args:
        port: of shape (batch, steps, channels) or (batch, channels, steps); dimensions of 1 may be
            absent or stand anywhere.
        tensor: of the task, of shape (steps, channels).
        sequences: to learn from, array of shape (n_items, steps, channels).
        to: the input's name in the graph.

    Raises:
        ExportError: no layout fits.
    """
    steps, channels = tensor.shape
    result = Feeding()
    value = result.fill(tensor, sequences)
    wanted = (steps, channels)
    if not _fits(port, wanted):
        wanted = (channels, steps)
        if not _fits(port, wanted):
            shape = ", ".join("?" if d is None else str(d) for d in port.shape)
            raise ExportError(
                f"its input {port.name!r} of shape [{shape}] reads no sequences of {steps} steps "
                f"of {channels} channel{'s' * (channels > 1)}: give its number of steps with "
                "--window, or export it with open steps"
            )
        value = result.add("Transpose", value, perm=[0, 2, 1])
    result.end(_shaped(result, value, port, wanted), port, to)
    return result


def _fits(port: Port, wanted: tuple[int, int]) -> bool:
    found = port.shape[1:]
    if len(found) == 2:
        return all(d in (None, w) for d, w in zip(found, wanted, strict=True))
    long, kept = [w for w in wanted if w > 1], [d for d in found if d != 1]
    return len(long) == len(kept) and all(d in (None, w) for d, w in zip(kept, long, strict=True))


def _shaped(result: Feeding, value: str, port: Port, wanted: tuple[int, int]) -> str:
    """Reshaped where dimensions of 1 are absent or added."""
    if len(port.shape) == 3:
        return value
    long = iter(w for w in wanted if w > 1)
    shape = [-1, *(1 if d == 1 else next(long) for d in port.shape[1:])]
    return result.add("Reshape", value, np.array(shape, np.int64))
