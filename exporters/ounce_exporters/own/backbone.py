"""A foreign network up to one of its tensors: a backbone, which stays as it is."""

import difflib
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx
from onnx import GraphProto, TensorProto
from ounce_schemas.card import BackboneOrigin
from ounce_schemas.errors import ArtifactError

from ounce_exporters.export.graphs import inlined
from ounce_exporters.export.names import read_by
from ounce_exporters.own.onnx_file import parse_onnx, tensors_of

_STANDARD = ("", "ai.onnx", "ai.onnx.ml")
"""Domains whose operators every runtime of the edge has."""
_LICENCE_KEYS = ("licence", "license")
_SHOWN = 5


@dataclass(frozen=True)
class Backbone:
    """A graph whose one output is the tensor that it was cut at."""

    graph: onnx.ModelProto
    origin: BackboneOrigin
    """For the card."""

    @property
    def named(self) -> str:
        """How errors name it."""
        return f"--from-onnx {self.origin.file}#{self.origin.tensor}"


def read_backbone(path: Path, tensor: str, licence: str | None) -> Backbone:
    """Read an ONNX file and cut it at a tensor.

    Args:
        path: the file.
        tensor: what one of its operators makes.
        licence: what the person says of it; default: what the file's metadata say.

    Raises:
        ArtifactError: the file can't be read, keeps weights elsewhere, has no such tensor, or needs
            operators that are not standard.
        ExportError: its functions can't be taken apart.
    """
    model = parse_onnx(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    model = inlined(model)
    found = {p.key.lower(): p.value for p in model.metadata_props}
    known = licence or next((found[key] for key in _LICENCE_KEYS if found.get(key)), None)
    origin = BackboneOrigin(file=path.name, tensor=tensor, sha256=digest, licence=known)
    graph = cut(model, tensor, path.name)
    _check_operators(graph, path.name)
    return Backbone(graph, origin)


def cut(model: onnx.ModelProto, tensor: str, name: str) -> onnx.ModelProto:
    """The part of a graph that makes a tensor, with the tensor as its one output.

    Args:
        model: without functions of its own.
        tensor: what one of its operators makes.
        name: of the file, for errors.

    Raises:
        ArtifactError: there is no such tensor.
    """
    graph = model.graph
    made = {output: node for node in graph.node for output in node.output if output}
    if tensor not in made:
        raise ArtifactError(_no_tensor(graph, tensor, list(made), name))
    needed, names = set[int](), {tensor}
    for i in reversed(range(len(graph.node))):  # nodes stand in the order in which they run
        node = graph.node[i]
        if names.intersection(node.output):
            needed.add(i)
            names.update(read_by(node))
    result = onnx.ModelProto()
    result.CopyFrom(model)
    kept = result.graph
    del kept.node[:], kept.initializer[:], kept.input[:], kept.output[:], kept.value_info[:]
    del kept.quantization_annotation[:]
    kept.node.extend(node for i, node in enumerate(graph.node) if i in needed)
    weights = {weight.name for weight in graph.initializer}
    kept.initializer.extend(w for w in graph.initializer if w.name in names)
    kept.input.extend(i for i in graph.input if i.name in names and i.name not in weights)
    kept.output.append(onnx.ValueInfoProto(name=tensor))
    return result


def _no_tensor(graph: GraphProto, tensor: str, made: Sequence[str], name: str) -> str:
    if any(tensor == value.name for value in (*graph.input, *graph.initializer)):
        return f"{name}: {tensor!r} is an input or a weight: name a tensor that an operator makes"
    near = difflib.get_close_matches(tensor, made, _SHOWN, cutoff=0.4)
    told = f"near ones are {', '.join(near)}; " if near else ""
    return (
        f"{name}: no operator makes a tensor {tensor!r}: {told}the last ones are "
        f"{', '.join(made[-_SHOWN:])}"
    )


def _check_operators(model: onnx.ModelProto, name: str) -> None:
    foreign = sorted(
        {f"{n.domain}.{n.op_type}" for n in model.graph.node if n.domain not in _STANDARD}
    )
    if foreign:
        raise ArtifactError(
            f"{name}: needs operators that are not standard ({', '.join(foreign[:_SHOWN])}): "
            "export the network with those of ai.onnx alone, or cut it before them"
        )
    if any(w.data_location == TensorProto.EXTERNAL for w in tensors_of(model.graph)):
        raise ArtifactError(
            f"{name}: keeps weights in other files, of which its digest says nothing: save it as "
            "one file with onnx.save_model(model, FILE, save_as_external_data=False)"
        )
