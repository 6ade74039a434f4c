"""Files of Protobuf as a registry has them: as descriptors, or as the text that people write."""

import base64
import binascii
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_MAIN = "ounce-schema.proto"
_COMPILE_S = 30.0


def descriptor_set(main: str, needed: Mapping[str, str]) -> bytes:
    """A `FileDescriptorSet` whose last file is the schema.

    Args:
        main: the schema: base64 of a descriptor, or text.
        needed: files that it imports, by name, each behind those that it imports itself.

    Raises:
        ValueError: it can't be compiled.
    """
    files = {**needed, _MAIN: main}
    described = {name: _descriptor(name, text) for name, text in files.items()}
    texts = {name: text for name, text in files.items() if described[name] is None}
    if not texts:
        return _joined([file for file in described.values() if file is not None])
    if len(texts) < len(files):
        raise ValueError("some of its files are text and some are descriptors")
    return _compiled(texts)


def _descriptor(name: str, text: str) -> Any:
    """A file's descriptor; None where it is text."""
    from google.protobuf import descriptor_pb2, message

    try:
        file = descriptor_pb2.FileDescriptorProto.FromString(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError, message.DecodeError):
        return None
    file.name = name
    return file


def _joined(files: list[Any]) -> bytes:
    from google.protobuf import descriptor_pb2

    names = {file.name for file in files}
    known: dict[str, Any] = {}
    for file in files:
        for name in file.dependency:
            if name not in names and name not in known:
                known.update(_with_needed(name))
    found = descriptor_pb2.FileDescriptorSet(file=[*known.values(), *files])
    return bytes(found.SerializeToString())


def _with_needed(name: str) -> dict[str, Any]:
    """A file that comes with Protobuf, such as that of timestamps."""
    from google.protobuf import (  # noqa: F401  importing them makes them known
        any_pb2,
        descriptor_pb2,
        descriptor_pool,
        duration_pb2,
        empty_pb2,
        field_mask_pb2,
        struct_pb2,
        timestamp_pb2,
        wrappers_pb2,
    )

    try:
        found = descriptor_pool.Default().FindFileByName(name)
    except KeyError:
        raise ValueError(f"it imports {name[:80]}, which the registry does not name") from None
    file = descriptor_pb2.FileDescriptorProto()
    found.CopyToProto(file)
    return {name: file}


def _compiled(texts: Mapping[str, str]) -> bytes:
    """By protoc, which is a process of its own: a text that it trips over ends no worker."""
    with tempfile.TemporaryDirectory(prefix="ounce-proto-") as folder:
        root = Path(folder).resolve()
        for name, text in texts.items():
            path = (root / name).resolve()
            if not path.is_relative_to(root):
                raise ValueError(f"a file is called {name[:80]!r}")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        out = root / "descriptors"
        words = [f"--proto_path={root}", f"--descriptor_set_out={out}", "--include_imports", _MAIN]
        done = subprocess.run(
            [sys.executable, "-P", "-m", "grpc_tools.protoc", *words],
            capture_output=True,
            timeout=_COMPILE_S,
            check=False,
        )
        if done.returncode:
            why = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
            raise ValueError(f"its text can't be compiled: {' '.join(why)[:200]}")
        return out.read_bytes()
