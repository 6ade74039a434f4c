"""ONNX Runtime on CPU. All models of a process share one thread pool."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from ounce_schemas.errors import ArtifactError

from ounce_edge.models.runtimes.base import Inputs, LoadedModel, TensorSignature
from ounce_edge.models.runtimes.text_bytes import encode_texts

MAX_ROWS = 256
"""Rows of one ONNX Runtime call, as many as are measured at most: more gain nothing and cost cache
misses and memory."""

_EXTERNAL_FOLDER = "session.model_external_initializers_file_folder_path"
_NOWHERE = "/dev/null/external-data"
"""No file can be there, so that what a model keeps in other files is never found."""

_BYTES = "tensor(uint8)"
_TEXT_DIMENSIONS = 3
"""Items, texts and bytes: what a graph that reads texts byte by byte declares. Images have four."""
_DATATYPES = {"tensor(float)": "FP32", "tensor(string)": "BYTES", _BYTES: "UINT8"}


class OnnxCpuRuntime:
    """The CPU execution provider.

    Args:
        threads: threads that one call may use. With 1 (the default) a call runs on the thread that
            makes it, which is fastest for small models. With more, all models share one
            process-wide pool, whose size is fixed by the first runtime that is made.
    """

    def __init__(self, threads: int = 1) -> None:
        self._threads = threads
        if threads > 1:
            ort.set_global_thread_pool_sizes(threads, 1)

    @property
    def name(self) -> str:
        """Name and version."""
        return f"onnxruntime-cpu {ort.__version__}"

    @property
    def threads(self) -> int:
        """Threads that one call may use."""
        return self._threads

    def load(self, path: Path, content: bytes) -> LoadedModel:
        """Load one ONNX file. All of the model is in `content`: weights in other files, which no
        digest covers, are refused.

        Raises:
            ArtifactError: ONNX Runtime can't make a session of it.
        """
        options = ort.SessionOptions()
        options.log_severity_level = 3  # errors only: warnings here are about graph optimisation
        options.inter_op_num_threads = 1
        if self._threads > 1:
            options.use_per_session_threads = False
        else:
            options.intra_op_num_threads = 1
        return load_session(path, content, options, "CPUExecutionProvider")


def load_session(
    path: Path,
    content: bytes,
    options: Any,
    provider: str,
    of_provider: Mapping[str, str] = MappingProxyType({}),
) -> LoadedModel:
    """A model of all of an ONNX file.

    Args:
        path: of the file, for messages.
        content: all of it; weights in other files are refused.
        options: of the session.
        provider: ONNX Runtime's name of what runs it.
        of_provider: options of that.

    Raises:
        ArtifactError: ONNX Runtime can't make a session of it.
    """
    options.add_session_config_entry(_EXTERNAL_FOLDER, _NOWHERE)
    try:
        session = ort.InferenceSession(
            content,
            options,
            providers=[(provider, dict(of_provider))],
            enable_fallback=0,  # else it tries the CPU, and tells what came of that
        )
    except Exception as e:  # ONNX Runtime raises a type of its own for each status code
        reason = " ".join(str(e).split())
        if "external data" in reason.lower():
            raise ArtifactError(
                f"{path}: keeps weights in other files (external data), which its card does "
                "not cover; export the model as one file"
            ) from e
        raise ArtifactError(f"{path}: not a model ONNX Runtime can run: {reason}") from e
    if session.get_providers()[0] != provider:  # it goes on with the CPU, and only logs that
        raise ArtifactError(f"{path}: ONNX Runtime can't run it with {provider}")
    return _OnnxModel(session)


class _OnnxModel:
    def __init__(self, session: Any) -> None:
        self._session: Any = session
        self._text_bytes = {t.name: t.shape[-1] for t in session.get_inputs() if _is_text(t)}
        self.inputs = {t.name: _signature(t) for t in session.get_inputs()}
        self.outputs = {t.name: _signature(t) for t in session.get_outputs()}
        self._first_input = next(iter(self.inputs), "")
        self._output_names = [session.get_outputs()[0].name]

    def run(self, inputs: Inputs) -> NDArray[np.float32]:
        """Run a batch of any size, in calls of at most `MAX_ROWS` rows."""
        session = self._session
        if session is None:
            raise RuntimeError("the model was unloaded")
        n = len(inputs[self._first_input])
        if self._text_bytes:
            texts = {name: encode_texts(inputs[name], k) for name, k in self._text_bytes.items()}
            inputs = {**inputs, **texts}
        if n <= MAX_ROWS:
            result: NDArray[np.float32] = session.run(self._output_names, inputs)[0]
            return result
        chunks = [
            session.run(
                self._output_names,
                {name: array[start : start + MAX_ROWS] for name, array in inputs.items()},
            )[0]
            for start in range(0, n, MAX_ROWS)
        ]
        return np.concatenate(chunks)

    def unload(self) -> None:
        """Give the session back; calls under way keep it until they end."""
        self._session = None


def _is_text(tensor: Any) -> bool:
    return tensor.type == _BYTES and len(tensor.shape) == _TEXT_DIMENSIONS


def _signature(tensor: Any) -> TensorSignature:
    shape = tuple(d if isinstance(d, int) else None for d in tensor.shape)
    if _is_text(tensor):  # one byte after the other, behind the shape of the texts
        return TensorSignature("BYTES", shape[:-1])
    return TensorSignature(_DATATYPES.get(tensor.type, tensor.type), shape)
