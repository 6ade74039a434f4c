"""Categories as bytes: GPUs know no texts. A graph that looks texts up in a list reads their bytes
instead, and compares them with those of each text of the list.

Runtimes of the edge make the bytes, as for graphs that read sentences. Blanks around a text, and
NUL characters at its end, don't count then.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper
from ounce_edge.models.runtimes.text_bytes import encode_texts

from ounce_exporters.export.names import attributes_of

MOST_COMPARED = 2**16
"""Bytes that a text is compared with."""
_TEXTS = ("cats_strings", "keys_strings")

Constants = dict[str, Any]
Write = Callable[[NodeProto, str], tuple[list[NodeProto], Constants]]


class UnknownTextsError(ValueError):
    """Texts that can't be told apart as bytes; the message says why."""


class ByteTexts:
    """How the texts of a graph are read as bytes.

    Args:
        model: its encoders list the texts that it knows.

    Raises:
        UnknownTextsError: texts of a list are the same but for blanks or NUL characters.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self._names = {i.name for i in model.graph.input if is_text(i)}
        lists = [
            [text.decode() for text in attribute.strings]
            for node in model.graph.node
            for attribute in node.attribute
            if attribute.name in _TEXTS
        ]
        for known in lists:
            if len({text.strip().rstrip("\0") for text in known}) < len(known):
                raise UnknownTextsError("two of its texts are the same but for blanks or NULs")
        self._n_bytes = max(map(_length, lists), default=1)

    def declare(self, graph: onnx.GraphProto) -> list[NodeProto]:
        """Declare the texts as bytes of shape (n, n_columns, n_bytes); gives the nodes that make
        numbers of them. What reads the texts reads those."""
        nodes = []
        for given in graph.input:
            if given.name in self._names:
                sizes = given.type.tensor_type.shape.dim
                given.type.tensor_type.elem_type = TensorProto.UINT8
                sizes.add().dim_value = self._n_bytes
                cast = [given.name], [_numbers(given.name)]
                nodes.append(helper.make_node("Cast", *cast, to=TensorProto.FLOAT))
        for node in graph.node:
            node.input[:] = [_numbers(n) if n in self._names else n for n in node.input]
        between = [value for value in graph.value_info if not is_text(value)]
        del graph.value_info[:]
        graph.value_info.extend(between)
        return nodes

    @property
    def writers(self) -> dict[str, Write]:
        """Of the operators that look texts up."""
        return {"LabelEncoder": self._label_encoder, "OneHotEncoder": self._one_hot}

    def _one_hot(self, node: NodeProto, prefix: str) -> tuple[list[NodeProto], Constants]:
        """1 for the text, 0 for all others."""
        given = attributes_of(node)
        if given.get("zeros", 1) != 1 or "cats_strings" not in given:
            raise UnknownTextsError("it knows no texts, or refuses others")
        return self._compare(node.input[0], given["cats_strings"], node.output[0], prefix)

    def _label_encoder(self, node: NodeProto, prefix: str) -> tuple[list[NodeProto], Constants]:
        """The text's value."""
        given = attributes_of(node)
        kind = "floats" if "values_floats" in given else "int64s"
        if "keys_strings" not in given or f"values_{kind}" not in given:
            raise UnknownTextsError("it makes no numbers of texts")
        default = given.get(f"default_{kind[:-1]}", 0.0 if kind == "floats" else -1)
        hits, values, axis, most, known, value, other, found = (
            f"{prefix}/{name}"
            for name in ("hits", "values", "axis", "most", "known", "value", "other", "found")
        )
        compared, constants = self._compare(node.input[0], given["keys_strings"], hits, prefix)
        nodes = [
            *compared,
            helper.make_node("Mul", [hits, values], [f"{value}/each"]),
            helper.make_node("ReduceSum", [f"{value}/each", axis], [value], keepdims=0),
            helper.make_node("ReduceMax", [hits, axis], [most], keepdims=0),
            helper.make_node("Cast", [most], [known], to=TensorProto.BOOL),
            helper.make_node("Where", [known, value, other], [found]),
        ]
        to = TensorProto.FLOAT if kind == "floats" else TensorProto.INT64
        nodes.append(helper.make_node("Cast", [found], [node.output[0]], to=to))
        return nodes, constants | {
            values: np.array(given[f"values_{kind}"], np.float32),
            other: np.array(default, np.float32),
        }

    def _compare(
        self, source: str, texts: Sequence[bytes], to: str, prefix: str
    ) -> tuple[list[NodeProto], Constants]:
        """1 where a text is the one of the list, else 0; shape (..., n_texts)."""
        listed: NDArray[Any] = np.array([text.decode() for text in texts], object)
        n_bytes = _length(listed)
        if len(texts) * n_bytes > MOST_COMPARED:
            raise UnknownTextsError(
                f"{len(texts):,} texts of up to {n_bytes - 1} bytes are too many to compare"
            )
        known, begin, end, first, one, bytes_, same, each, axis = (
            f"{prefix}/{name}"
            for name in (
                "texts", "begin", "end", "first", "place", "bytes", "same", "each", "axis"
            )
        )  # fmt: skip
        nodes = [
            helper.make_node("Slice", [source, begin, end, axis], [first]),
            helper.make_node("Unsqueeze", [first, one], [bytes_]),
            helper.make_node("Equal", [bytes_, known], [same]),
            helper.make_node("Cast", [same], [each], to=TensorProto.FLOAT),
            helper.make_node("ReduceMin", [each, axis], [to], keepdims=0),
        ]
        return nodes, {
            known: encode_texts(listed, n_bytes).astype(np.float32),
            begin: np.array([0]),
            end: np.array([n_bytes]),
            one: np.array([-2]),
            axis: np.array([-1]),
        }


def is_text(tensor: onnx.ValueInfoProto) -> bool:
    """Whether a tensor of a graph holds texts."""
    return tensor.type.tensor_type.elem_type == TensorProto.STRING


def _length(texts: Iterable[str]) -> int:
    """Bytes to compare. One more than of the longest text: what is longer is none of them."""
    return 1 + max((len(text.strip().encode()) for text in texts), default=0)


def _numbers(name: str) -> str:
    return f"{name}/numbers"
