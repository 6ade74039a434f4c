"""Texts whose case an own model changes, by rules that every Linux has."""

import onnx
from onnx import helper

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
    if all(node.op_type != _NORMALIZER for node in model.graph.node):
        return model  # no copy of what may be large
    result = onnx.ModelProto()
    result.CopyFrom(model)
    for node in result.graph.node:
        if node.op_type != _NORMALIZER:
            continue
        said = next((a for a in node.attribute if a.name == _LOCALE), None)
        if said is not None and said.s.decode() not in _ENGLISH:
            continue
        if said is not None:
            node.attribute.remove(said)
        node.attribute.append(helper.make_attribute(_LOCALE, _EVERYWHERE))
    return result
