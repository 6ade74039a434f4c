"""Reading an ONNX file that somebody else made. Nothing of it is trusted."""

from collections.abc import Iterator
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import AttributeProto, TensorProto
from ounce_schemas.errors import ArtifactError

from ounce_exporters.export.names import read_by

MOST_BYTES = 512 * 2**20
"""Of the file and of what it keeps beside it: a model of the edge is far smaller, and several
copies are in memory while it is wrapped."""
_FROM_PYTHON = "load the model, and export it to ONNX or add the fitted object from Python"
_PICKLE = (
    "a pickle, which is never opened: export the model to ONNX, or add the fitted object from "
    "Python"
)
_PACKED = f"a packed file, as joblib's are: {_FROM_PYTHON}"
_MAGIC = {
    b"PK\x03\x04": f"an archive, as those of PyTorch, Keras and skops are: {_FROM_PYTHON}",
    b"\x80": _PICKLE,
    b"ccopy_reg": _PICKLE,
    b"\x1f\x8b": _PACKED,
    b"x\x01": _PACKED,
    b"x^": _PACKED,
    b"x\x9c": _PACKED,
    b"x\xda": _PACKED,
    b"BZh": _PACKED,
    b"\xfd7zXZ": _PACKED,
    b"CBM1": f"CatBoost's own: {_FROM_PYTHON}",
    b"tree\n": f"LightGBM's own: {_FROM_PYTHON}",
    b"{": f"JSON or the like, as XGBoost's own files are: {_FROM_PYTHON}",
    b"version https://git-lfs": "a pointer of Git LFS: fetch the file itself with git lfs pull",
    b"<": "markup, as a page that says why a download failed, or PMML: export the model to ONNX",
    b"\x89HDF": "an HDF5 file: export the model to ONNX",
    b"TFL3": "a TensorFlow Lite file: export the model to ONNX",
    b"ORTM": "a file in ONNX Runtime's own format: add the ONNX file that it was made of",
}
"""What files begin with that are taken for models."""
_FOURTH = b"TFL3", b"ORTM"
"""Those that stand behind the first four bytes."""


def read_onnx(path: Path) -> onnx.ModelProto:
    """Read an ONNX file; weights that it keeps in files beside it become part of it.

    Raises:
        ArtifactError: it can't be read, is too large, is no ONNX file, or keeps weights elsewhere.
    """
    model = parse_onnx(path)
    _embed(path, model)
    return model


def parse_onnx(path: Path) -> onnx.ModelProto:
    """Read an ONNX file alone, without what it keeps in files beside it.

    Raises:
        ArtifactError: it can't be read, is too large, or is no ONNX file.
    """
    return _parse(path, _read(path))


def _read(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise ArtifactError(f"{path}: there is no such file")
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise ArtifactError(_too_large(path, size))
        return path.read_bytes()
    except OSError as e:
        raise ArtifactError(f"{path}: can't be read: {e.strerror or e}") from e


def _too_large(path: Path, size: int) -> str:
    return f"{path}: {size / 2**20:,.0f} MiB; at most {MOST_BYTES // 2**20} MiB can be added"


def _parse(path: Path, content: bytes) -> onnx.ModelProto:
    for magic, what in _MAGIC.items():
        if content.startswith(magic) or (magic in _FOURTH and content[4:8] == magic):
            raise ArtifactError(f"{path}: not an ONNX file but {what}")
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except DecodeError as e:
        raise ArtifactError(f"{path}: not an ONNX file") from e
    if not model.graph.node or not model.graph.output:
        raise ArtifactError(f"{path}: not an ONNX file, or one without a graph")
    if not model.opset_import:
        raise ArtifactError(f"{path}: names no operator set: it is damaged, or no ONNX file")
    sort_nodes(model.graph)
    return model


def sort_nodes(graph: onnx.GraphProto) -> None:
    """Put operators behind those that they read of, in place, as ONNX asks and some tools don't do.

    ONNX Runtime's own conversion to float16 appends casts at the end. What reads of itself stays
    as it stands.
    """
    made = {name for node in graph.node for name in node.output if name}
    ready: set[str] = set()
    waiting, ordered = list(graph.node), list[onnx.NodeProto]()
    while waiting:
        later = []
        for node in waiting:
            if made.intersection(read_by(node)) <= ready:
                ordered.append(node)
                ready.update(node.output)
            else:
                later.append(node)
        if len(later) == len(waiting):
            return
        waiting = later
    if len(ordered) > 1 and any(a is not b for a, b in zip(ordered, graph.node, strict=True)):
        copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in ordered]
        del graph.node[:]
        graph.node.extend(copies)


def _embed(path: Path, model: onnx.ModelProto) -> None:
    """Take in weights of files beside the model.

    A name with a folder in it, or a link, could point at any file of this machine.
    """
    folder = path.parent
    total = 0
    for tensor in tensors_of(model.graph):
        if tensor.data_location != TensorProto.EXTERNAL:
            continue
        found = {entry.key: entry.value for entry in tensor.external_data}
        name = found.get("location", "")
        beside = folder / name
        if not name or Path(name).name != name or beside.is_symlink():
            raise ArtifactError(
                f"{path}: keeps weights in {name!r} (external data): only a file beside it is read"
            )
        if not beside.is_file():
            raise ArtifactError(f"{path}: keeps weights in {name!r}, which is not beside it")
        total += int(found.get("length") or beside.stat().st_size)
        if total > MOST_BYTES:
            raise ArtifactError(_too_large(path, total))
        try:
            onnx.external_data_helper.load_external_data_for_tensor(tensor, str(folder))
        except Exception as e:  # onnx raises several types
            raise ArtifactError(f"{beside}: does not hold the weights of {path.name}: {e}") from e
        tensor.data_location = TensorProto.DEFAULT
        del tensor.external_data[:]


def tensors_of(graph: onnx.GraphProto) -> Iterator[TensorProto]:
    """Every tensor of a graph and of the graphs inside it."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield from _of_attribute(attribute)


def _of_attribute(attribute: AttributeProto) -> Iterator[TensorProto]:
    if attribute.HasField("t"):
        yield attribute.t
    yield from attribute.tensors
    if attribute.HasField("g"):
        yield from tensors_of(attribute.g)
    for inner in attribute.graphs:
        yield from tensors_of(inner)


def count_numbers(model: onnx.ModelProto) -> int:
    """Learned numbers: elements of float tensors, and numbers in the attributes of operators."""
    floats = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16)
    total = 0
    for tensor in tensors_of(model.graph):
        if tensor.data_type in floats:
            size = 1
            for dimension in tensor.dims:
                size *= dimension
            total += size
    return total + sum(
        len(attribute.floats) for node in model.graph.node for attribute in node.attribute
    )
