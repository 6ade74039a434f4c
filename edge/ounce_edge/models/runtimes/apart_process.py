"""The process of a runtime that runs apart: answers one call after the other, and loads beside
them, until its pipes close, or until its GPU is broken."""

import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from multiprocessing import parent_process
from pathlib import Path
from typing import Any

from ounce_schemas.errors import ArtifactError, OunceError

from ounce_edge.models.runtimes.base import (
    EngineAbsentError,
    LoadedModel,
    Runtime,
    RuntimeDownError,
)
from ounce_edge.models.runtimes.parent import end_with_parent


@dataclass(frozen=True)
class Limits:
    """Seconds until a process that does not answer is ended."""

    start_s: float = 120.0
    load_s: float = 300.0
    run_s: float = 10.0


class Kind(Enum):
    """What an answer is."""

    DONE = auto()
    REFUSED = auto()
    """The model can't be loaded."""
    NO_ENGINE = auto()
    """The model can't be loaded until its engine is built."""
    FAILED = auto()
    """The call failed; the next one may do."""
    DOWN = auto()
    """No input is at fault; a later call may do."""
    ABSENT = auto()
    """There is no such runtime here. The process ends."""
    BROKEN = auto()
    """No call will ever do again. The process ends."""


def serve(make: Callable[[], Runtime], calls: Any, loads: Any) -> None:
    """Make the runtime and answer: calls, and loads beside them."""
    # Ctrl-C, or a service manager's SIGTERM to all, is the worker's, which closes the pipes.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    worker = parent_process()
    assert worker is not None
    end_with_parent(worker.sentinel)
    try:
        runtime = make()
    except OunceError as e:
        calls.send((Kind.ABSENT, str(e)))
        return
    models: dict[int, LoadedModel] = {}
    calls.send((Kind.DONE, (runtime.name, runtime.threads)))
    threading.Thread(target=_serve_to_end, args=(loads, runtime, models), daemon=True).start()
    _serve_to_end(calls, runtime, models)


def _serve_to_end(pipe: Any, runtime: Runtime, models: dict[int, LoadedModel]) -> None:
    """Answer, then end the process, whatever its other thread still does. The driver gives all
    back. What libraries do at a process's end may wait for a load under way."""
    _serve_pipe(pipe, runtime, models)
    os._exit(0)


def _serve_pipe(pipe: Any, runtime: Runtime, models: dict[int, LoadedModel]) -> None:
    try:
        while True:
            answer = _answer(runtime, models, pipe.recv())
            pipe.send(answer)
            if answer[0] is Kind.BROKEN:
                return
    except (EOFError, OSError):
        return  # the worker has ended, or wants no more


def _answer(runtime: Runtime, models: dict[int, LoadedModel], message: Any) -> tuple[Kind, Any]:
    try:
        return Kind.DONE, _do(runtime, models, *message)
    except EngineAbsentError as e:
        return Kind.NO_ENGINE, str(e)
    except ArtifactError as e:
        return Kind.REFUSED, str(e)
    except RuntimeDownError as e:
        return Kind.DOWN, str(e)
    except Exception as e:  # runtimes raise many types
        is_broken = getattr(e, "is_sticky", False)
        return Kind.BROKEN if is_broken else Kind.FAILED, f"{type(e).__name__}: {e}"


def _do(
    runtime: Runtime, models: dict[int, LoadedModel], what: str, number: int, *more: Any
) -> Any:
    if what == "load":
        path, content = more
        model = models[number] = runtime.load(Path(path), content)
        return dict(model.inputs), dict(model.outputs)
    if what == "run":
        return models[number].run(*more)
    if what == "call":
        function, *arguments = more
        return function(*arguments)
    if what == "used":
        return getattr(runtime, "used_bytes", 0)
    if what == "joules":
        return getattr(runtime, "joules", None)
    if what == "times":
        times_ms = getattr(models[number], "gpu_times_ms", None)
        return [] if times_ms is None else times_ms(*more)
    models.pop(number).unload()
    return None
