"""Working on ONNX graphs: one opset for all, joining two, one named output, a checked signature."""

from collections.abc import Iterable

import numpy as np
import onnx
from onnx import TensorProto, helper, inliner, numpy_helper, version_converter
from ounce_schemas.errors import ExportError
from ounce_schemas.task import TaskSpec, TensorSpec

from ounce_exporters.export.names import read_in, rename

OPSET = 20
"""Operator set of the default domain; ONNX Runtime 1.17 and later run it."""
IR_VERSION = 10
INSIDE = "model/"
"""Before the names of what is inside a graph that something is appended to."""
UNCALIBRATED = "uncalibrated"
"""Name of the one output of `FittedModel.to_onnx`."""
_SHOWN = 5

_ELEMENT_TYPES = {
    "FP32": TensorProto.FLOAT,
    "UINT8": TensorProto.UINT8,
    "BYTES": TensorProto.STRING,
}


def normalize(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same model at `OPSET` or later and at `IR_VERSION`, each operator domain named once,
    without functions of its own.

    Raises:
        ExportError: as `inlined`.
    """
    model = inlined(model)
    versions: dict[str, int] = {}
    for opset in model.opset_import:
        domain = "" if opset.domain == "ai.onnx" else opset.domain
        versions[domain] = max(versions.get(domain, 0), opset.version)
    versions.setdefault("", OPSET)
    result = onnx.ModelProto()
    result.CopyFrom(model)
    del result.opset_import[:]
    result.opset_import.extend(helper.make_opsetid(d, v) for d, v in versions.items())
    result.ir_version = IR_VERSION  # since 4, a constant is no input; the converter asks it
    if versions[""] < OPSET:
        result = version_converter.convert_version(result, OPSET)
        result.ir_version = IR_VERSION
    return result


def inlined(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model without functions of its own.

    Raises:
        ExportError: one is written for other operator sets than the graph.
    """
    if not model.functions:
        return model
    result = inliner.inline_local_functions(model)
    if result.functions:
        names = ", ".join(repr(function.name) for function in result.functions[:_SHOWN])
        raise ExportError(
            f"its functions {names} are written for other operator sets than its graph: export it "
            "with one operator set, or without functions"
        )
    return result


def chain(first: onnx.ModelProto, second: onnx.ModelProto) -> onnx.ModelProto:
    """One model that feeds the one output of `first` to the one input of `second`."""
    taken = {port.name for port in second.graph.output}
    joints = [port for port in first.graph.output if port.name not in taken]
    first = with_prefix(first, "first/", keep=(*first.graph.input, *joints))
    second = with_prefix(second, "second/", keep=second.graph.output)
    _share_opsets(first, second)
    joint, given = first.graph.output[0].name, second.graph.input[0].name
    rename(second.graph, {given: joint})
    # `onnx.compose.merge_models` copies both twice: a large forest takes a hundred megabytes each.
    graph, behind = first.graph, second.graph
    graph.name = f"{graph.name}_{behind.name}"
    graph.node.extend(behind.node)
    graph.initializer.extend(behind.initializer)
    graph.value_info.extend(graph.output)  # what is between is not inferred behind `ai.onnx.ml`
    graph.value_info.extend(behind.value_info)
    del graph.output[:]
    graph.output.extend(behind.output)
    known = {opset.domain for opset in first.opset_import}
    first.opset_import.extend(o for o in second.opset_import if o.domain not in known)
    return first


def with_prefix(
    model: onnx.ModelProto, prefix: str, keep: Iterable[onnx.ValueInfoProto] = ()
) -> onnx.ModelProto:
    """The model at `OPSET`, with a prefix before every name of its graph and the graphs inside it.

    `onnx.compose.add_prefix` forgets constants that an `If` or a `Loop` reads from outside.

    Args:
        model: the model.
        prefix: what is put before.
        keep: inputs and outputs whose names stay.
    """
    kept = {port.name: port.name for port in keep}
    result = normalize(model)
    rename(result.graph, kept, prefix)
    return result


def without_unread(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model without inputs that nothing reads, such as a flag that says whether it trains."""
    constants = (tensor.name for tensor in model.graph.initializer)  # old formats list them, too
    read = {*read_in(model.graph), *constants}
    if all(port.name in read for port in model.graph.input):
        return model
    result = onnx.ModelProto()
    result.CopyFrom(model)
    del result.graph.input[:]
    result.graph.input.extend(port for port in model.graph.input if port.name in read)
    return result


def _share_opsets(first: onnx.ModelProto, second: onnx.ModelProto) -> None:
    """Declare the later version of each domain in both: skl2onnx declares the least that its
    operators need, of those written for a later one."""
    versions: dict[str, int] = {}
    for opset in (*first.opset_import, *second.opset_import):
        versions[opset.domain] = max(versions.get(opset.domain, 0), opset.version)
    for model in (first, second):
        for opset in model.opset_import:
            opset.version = versions[opset.domain]


def rename_input(model: onnx.ModelProto, name: str) -> onnx.ModelProto:
    """The same model, its one input called `name`."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    (declared,) = result.graph.input
    rename(result.graph, {declared.name: name})
    return result


def keep_output(model: onnx.ModelProto, name: str | None = None) -> onnx.ModelProto:
    """Drop every output but `name` (default: the first), and call that one `UNCALIBRATED`."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    kept = next(output for output in graph.output if name in (None, output.name))
    graph.node.append(helper.make_node("Identity", [kept.name], [UNCALIBRATED]))
    output = helper.make_value_info(UNCALIBRATED, kept.type)
    del graph.output[:]
    graph.output.append(output)
    return result


def logarithms(model: onnx.ModelProto, floor: float) -> onnx.ModelProto:
    """The same model with the logarithms of its one output, which is cut at `floor` first."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    values, least, cut = (f"{UNCALIBRATED}/{part}" for part in ("values", "least", "cut"))
    rename(graph, {UNCALIBRATED: values})
    graph.output[0].name = UNCALIBRATED
    graph.initializer.append(numpy_helper.from_array(np.array(floor, np.float32), least))
    graph.node.append(helper.make_node("Clip", [values, least], [cut]))
    graph.node.append(helper.make_node("Log", [cut], [UNCALIBRATED]))
    return result


def append(
    model: onnx.ModelProto,
    nodes: Iterable[onnx.NodeProto],
    constants: dict[str, np.ndarray],
    output: TensorSpec,
) -> onnx.ModelProto:
    """Add nodes behind the graph; what they compute as `output.name` becomes the one output.

    Names inside the graph get a prefix, so that those of the new nodes and constants are free.
    """
    result = with_prefix(model, INSIDE, keep=(*model.graph.input, *model.graph.output))
    graph = result.graph
    graph.initializer.extend(
        numpy_helper.from_array(value, name) for name, value in constants.items()
    )
    graph.node.extend(nodes)
    del graph.output[:]
    graph.output.append(declare(output))
    return result


def side_by_side(
    first: onnx.ModelProto,
    second: onnx.ModelProto,
    name: str,
    operator: str,
    axis: int | None = None,
) -> onnx.ModelProto:
    """One graph with the inputs of both, and their outputs in one operator as the one output.

    Args:
        first: reads other inputs than `second`.
        second: the other graph.
        name: of the output, float32.
        operator: that reads the two outputs, such as `Add`.
        axis: of the operator, where it has one.
    """
    parts = [
        with_prefix(model, prefix, keep=model.graph.input)
        for model, prefix in ((first, "first/"), (second, "second/"))
    ]
    names = [part.graph.output[0].name for part in parts]
    output = helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", None])
    graph = helper.make_graph(
        [
            *(node for part in parts for node in part.graph.node),
            helper.make_node(operator, names, [name], axis=axis),
        ],
        "side-by-side",
        [given for part in parts for given in part.graph.input],
        [output],
        [constant for part in parts for constant in part.graph.initializer],
    )
    opsets = [opset for part in parts for opset in part.opset_import]
    return normalize(helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION))


def check_signature(model: onnx.ModelProto, task: TaskSpec) -> onnx.ModelProto:
    """Declare the task's inputs and output with a dynamic batch dimension, and check the graph.

    Raises:
        ExportError: inputs are missing, or unknown, or the graph is not valid ONNX.
    """
    declared = {}
    for tensor in model.graph.input:
        declared[tensor.name] = onnx.ValueInfoProto()
        declared[tensor.name].CopyFrom(tensor)
    wanted = {tensor.name: tensor for tensor in task.inputs}
    if declared.keys() != wanted.keys():
        raise ExportError(
            f"the graph has inputs {sorted(declared)}, task {task.name!r} has {sorted(wanted)}"
        )
    del model.graph.input[:]
    model.graph.input.extend(
        declare(_as_read(tensor, declared[tensor.name])) for tensor in task.inputs
    )
    check(model)
    return model


def check(model: onnx.ModelProto) -> None:
    """Refuse a graph that is none.

    Raises:
        ExportError: it is not valid ONNX.
    """
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as e:
        raise ExportError(f"the graph is not valid ONNX: {' '.join(str(e).split())}") from e


def _as_read(tensor: TensorSpec, declared: onnx.ValueInfoProto) -> TensorSpec:
    """Texts as bytes where the graph reads them so."""
    read = declared.type.tensor_type
    if tensor.datatype != "BYTES" or read.elem_type != TensorProto.UINT8:
        return tensor
    return tensor.model_copy(update={"text_bytes": read.shape.dim[-1].dim_value})


def declare(tensor: TensorSpec) -> onnx.ValueInfoProto:
    """A tensor of a signature as a graph names it, with an open batch dimension."""
    if tensor.text_bytes is not None:
        return helper.make_tensor_value_info(
            tensor.name, TensorProto.UINT8, ["batch", *tensor.shape, tensor.text_bytes]
        )
    return helper.make_tensor_value_info(
        tensor.name, _ELEMENT_TYPES[tensor.datatype], ["batch", *tensor.shape]
    )
