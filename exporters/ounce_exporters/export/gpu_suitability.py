"""Whether TensorRT takes a model, as far as the machine that makes it can know."""

import onnx
from ounce_edge.models.runtimes.tensorrt.building import parse
from ounce_edge.models.runtimes.tensorrt.libraries import Flavour, find_tensorrt
from ounce_schemas.errors import ArtifactError, RuntimeAbsentError

from ounce_exporters.export.byte_texts import is_text
from ounce_exporters.export.standard import ML


def why_not_on_gpu(graph: onnx.ModelProto) -> str | None:
    """The reason; None: none is known. TensorRT for RTX is asked where it is installed: its parser
    needs no GPU. Elsewhere only operators of `ai.onnx.ml` and texts are known to be refused.

    Args:
        graph: of the file.
    """
    texts = [i.name for i in graph.graph.input if is_text(i)]
    if texts:
        return f"TensorRT takes no texts: {', '.join(texts)}"
    operators = sorted({node.op_type for node in graph.graph.node if node.domain == ML})
    if operators:
        return f"TensorRT does not know the operators of {ML}: {', '.join(operators)}"
    try:
        tensorrt = find_tensorrt(Flavour.RTX)
    except RuntimeAbsentError:
        return None
    try:
        parse(tensorrt, graph.SerializeToString())
    except ArtifactError as e:
        return str(e)
    return None
