"""Engines that are not in the cache are built by a process of its own.

A build takes memory and time, and a fault in it ends its process: the worker goes on.
"""

import hashlib
import json
import logging
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ounce_schemas.errors import ArtifactError

from ounce_edge.models.runtimes.tensorrt.batch_profile import BatchProfile
from ounce_edge.models.runtimes.tensorrt.building import (
    FLAGS,
    BuildFailedError,
    Built,
    Progress,
)
from ounce_edge.models.runtimes.tensorrt.cache import EngineCache, EngineKey
from ounce_edge.models.runtimes.tensorrt.device import Device
from ounce_edge.models.runtimes.tensorrt.libraries import TensorRt
from ounce_edge.models.runtimes.tensorrt.refusals import Refusal

logger = logging.getLogger(__name__)

BUILD_LIMIT_S = 1800.0
"""A build that takes longer is given up."""
_BUILDER = "ounce_edge.models.runtimes.tensorrt.builder"
_MOST_SAID, _MOST_LOGGED = 400, 4000
_FROM_OUTSIDE = (signal.SIGKILL, signal.SIGTERM)
"""What a person, or a kernel that is short of memory, ends a process with."""


@dataclass(frozen=True)
class Target:
    """What engines are built for."""

    tensorrt: TensorRt
    device: Device
    profile: BatchProfile

    def key(self, content: bytes) -> EngineKey:
        """Of the engine of a model; `content` is all of its file."""
        return EngineKey(
            model_sha256=hashlib.sha256(content).hexdigest(),
            tensorrt=self.tensorrt.name,
            gpu=self.device.name,
            capability=self.device.capability,
            driver=self.device.driver,
            best=self.profile.best,
            most=self.profile.most,
            flags=FLAGS,
        )


def find_engine(
    cache: EngineCache, target: Target, path: Path, content: bytes, progress: Progress
) -> tuple[bytes, bool]:
    """The engine of a model, and whether it was built just now. Why TensorRT does not take a model
    is kept.

    Args:
        cache: where it may be, and is put.
        target: what it is for.
        path: of the model's file, `<task>/<model>/model.onnx`, for messages.
        content: all of the file.
        progress: told how far a build is.

    Raises:
        ArtifactError: it can't be built; or the cache can't be written.
    """
    key = target.key(content)
    engine = cache.read(key)
    if engine is not None:
        return engine, False
    model = "/".join(path.parts[-3:-1])
    try:
        built = build_apart(target, content, progress)
    except BuildFailedError as e:
        raise BuildFailedError(f"{path}: {e}") from e
    except ArtifactError as e:
        with suppress(ArtifactError):  # a folder that can't be written: why the build failed counts
            cache.refusals.keep(Refusal(key, model, str(e)))
        raise ArtifactError(f"{path}: {e}") from e
    cache.write(key, model, built.engine, built.most)
    cache.refusals.drop(key)
    return built.engine, True


def build_apart(
    target: Target,
    content: bytes,
    progress: Progress,
    *,
    limit_s: float = BUILD_LIMIT_S,
    module: str = _BUILDER,
) -> Built:
    """Build an engine in a process of its own. Files between both have no name, so that nothing is
    left of a build that is killed.

    Raises:
        BuildFailedError: there is no room for it, somebody ends the process, or TensorRT does not
            start there.
        ArtifactError: TensorRT refuses the model; or the process dies, or takes too long.
    """
    try:
        with tempfile.TemporaryFile() as model, tempfile.TemporaryFile() as engine:
            model.write(content)
            model.seek(0)
            files = model.fileno(), engine.fileno()
            command = [sys.executable, "-P", "-m", module, str(target.tensorrt.flavour)]
            command += map(str, (*files, target.profile.best, target.profile.most))
            most = _build(command, files, progress, limit_s)
            engine.seek(0)
            return Built(engine.read(), most)
    except OSError as e:  # no room for its files, or for the process
        where = tempfile.gettempdir()
        raise BuildFailedError(f"can't be built, by way of {where}: {e.strerror or e}") from e


def _build(command: list[str], files: tuple[int, int], progress: Progress, limit_s: float) -> int:
    """Items that the engine takes."""
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,  # its end tells the process that this one is gone
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        pass_fds=files,
    ) as child:
        timer = threading.Timer(limit_s, child.kill)
        timer.daemon = True
        timer.start()
        errors: list[str] = []
        assert child.stderr is not None
        stderr = child.stderr
        reader = threading.Thread(target=lambda: errors.append(stderr.read()), daemon=True)
        reader.start()
        said = _follow(child, progress)
        code = child.wait()
        is_late = not timer.is_alive()
        timer.cancel()
        reader.join()
    if any(errors):
        logger.info("a build says: %s", " | ".join(errors[0].splitlines())[-_MOST_LOGGED:])
    if "refused" in said:
        raise ArtifactError(str(said["refused"]))
    if "failed" in said:
        raise BuildFailedError(str(said["failed"]))
    if code == 0 and "most" in said:
        return int(said["most"])
    if is_late:
        raise ArtifactError(f"its build takes longer than {limit_s:g} s and was ended")
    last = " ".join("".join(errors).split())[-_MOST_SAID:]
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    kind = BuildFailedError if -code in _FROM_OUTSIDE else ArtifactError
    raise kind(f"the process that builds it ended with {how}: {last or 'silent'}")


def _follow(child: "subprocess.Popen[str]", progress: Progress) -> dict[str, Any]:
    """Hand on progress; all else that is said."""
    found: dict[str, Any] = {}
    assert child.stdout is not None
    for line in child.stdout:
        try:
            said = json.loads(line)
        except ValueError:
            continue  # TensorRT writes lines of its own
        if not isinstance(said, dict):
            continue
        if "phase" in said:
            progress(str(said["phase"]), float(said["share"]))
        else:
            found |= said
    return found
