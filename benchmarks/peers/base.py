"""What a peer is: a program that answers requests on Kafka, and how it is installed and started.

A module of a peer is imported here and, in the peer's own environment, run as a program. So it
imports its framework only inside `main`, and nothing of ours but this module.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).parents[2]
MODEL = "mlp"
FEATURES = 64
Headers = Sequence[tuple[str, bytes]]


@dataclass(frozen=True)
class Job:
    """What a started peer is told."""

    servers: str
    requests: str
    """Topic that it reads."""
    predictions: str
    """Topic that it answers to."""
    group: str
    models: Path
    """Folder of the ladders."""
    scratch: Path
    """Folder of its own, for settings and logs."""

    @property
    def model(self) -> Path:
        """The model that everybody runs; input `input`, float32 of shape (n, 64)."""
        return self.models / "digits" / MODEL / "model.onnx"


@dataclass(frozen=True)
class Peer:
    """Someone to be measured."""

    name: str
    title: str
    """How it is arranged."""
    body: Literal["raw", "json"]
    """Of its requests: 64 float32, little-endian; or an Open Inference Protocol V2 document."""
    requirements: tuple[str, ...]
    """Pinned packages of its environment; none: it runs in this one."""
    command: Callable[[Path, Job], Sequence[str | Path]]
    """Given its Python and a job, the command that starts it."""
    backlog_per_s: int
    """Requests that lie ready for each second of the measurement: more than it can answer."""
    in_flight: int | None = None
    """Requests under way at a time, where it can't be given a backlog that lies ready."""
    headers: Headers | None = None
    """Of each request."""


def program(module: str) -> Callable[[Path, Job], Sequence[str | Path]]:
    """The command of a module that reads its arguments with `arguments`."""

    def command(python: Path, job: Job) -> Sequence[str | Path]:
        topics = (job.requests, job.predictions, job.group)
        return [python, "-m", module, job.servers, *topics, job.model]

    return command


def arguments() -> Sequence[str]:
    """Of a running peer: servers, requests, predictions, group, model."""
    _, *given = sys.argv
    if len(given) != 5:
        raise SystemExit(f"expected SERVERS IN OUT GROUP MODEL, got {given}")
    return given


def open_session(model: str):
    """An ONNX Runtime session with one thread."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
