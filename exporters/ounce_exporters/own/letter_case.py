"""Texts whose case an own model changes, by rules that every Linux has."""

from collections.abc import Iterator

import onnx
from onnx import helper

from ounce_exporters.export.names import inner_graphs

_NORMALIZER = "StringNormalizer"
_LOCALE = "locale"
_ENGLISH = ("", "en_US", "en_US.UTF-8", "en")
_EVERYWHERE = "C.UTF-8"


def with_common_locale(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same model, told to change case by `C.UTF-8` where it would by the rules of English.

    `StringNormalizer` reads `en_US.UTF-8` where nothing is said, as in what skl2onnx makes of a
    `TfidfVectorizer`. Slim images lack it, and ONNX Runtime then loads no such model. Both know the
    same letters.
    """
    if not any(_normalizers(model.graph)):
        return model  # no copy of what may be large
    result = onnx.ModelProto()
    result.CopyFrom(model)
    for node in _normalizers(result.graph):
        said = next((a for a in node.attribute if a.name == _LOCALE), None)
        if said is not None and said.s.decode() not in _ENGLISH:
            continue
        if said is not None:
            node.attribute.remove(said)
        node.attribute.append(helper.make_attribute(_LOCALE, _EVERYWHERE))
    return result


def _normalizers(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Also those in the graphs that an `If` or a `Loop` has."""
    for node in graph.node:
        if node.op_type == _NORMALIZER:
            yield node
        for inner in inner_graphs(node):
            yield from _normalizers(inner)
