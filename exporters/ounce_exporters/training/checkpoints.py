"""Checkpoints: a training of a network that was interrupted goes on where it was.

One file for each fit, in the order in which the fits of a model come, which a seed fixes. A file
holds everything that the fit goes on with: weights, their average, the optimizer's and the
schedule's state, and the state of every source of randomness. So what was interrupted ends as what
was not. A fit that has ended keeps its weights until the whole ladder is there.

A file is written whole: a power loss leaves the one before.
"""

import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from ounce_schemas.errors import ArtifactError, DataError
from ounce_schemas.whole_file import write_whole
from safetensors import SafetensorError, safe_open

RUN_FILE = "run.json"
"""What the training is of."""
LEAST_S = 2.0
"""Between two writes of one fit."""
_ANEW = "train without --resume to begin anew"
_SHOWN = 60

Identity = Mapping[str, Any]
"""What a checkpoint is of: texts, numbers, and tables of them, by what a person calls them."""
State = dict[str, Any]
"""Tensors, texts and numbers, in tables and lists."""


class Checkpoints:
    """The checkpoints of one training.

    Args:
        folder: of the files.
        least_s: between two writes of one fit; the last one is always written.
    """

    def __init__(self, folder: Path, least_s: float) -> None:
        self._folder = folder
        self._least_s = least_s
        self._model = "model"
        self._n_fits = 0

    @contextmanager
    def of_model(self, name: str) -> Iterator[None]:
        """The fits inside are of this model."""
        self._model, self._n_fits = name, 0
        yield

    def next_fit(self, identity: Identity) -> "Checkpoint":
        """The checkpoint of the fit that begins.

        Raises:
            DataError: there is one, of something else.
        """
        path = self._folder / f"{self._model}-{self._n_fits}.safetensors"
        self._n_fits += 1
        return Checkpoint(path, identity, self._least_s)


class Checkpoint:
    """Of one fit.

    Args:
        path: of the file.
        identity: what it has to be of.
        least_s: between two writes.
    """

    def __init__(self, path: Path | None, identity: Identity, least_s: float = 0.0) -> None:
        self._path = path
        self._identity = _as_json(identity)
        self._least_s = least_s
        self._last_s = time.monotonic()

    def read(self) -> State | None:
        """Where the fit was; None where it begins.

        Raises:
            DataError: the file is of another fit.
            ArtifactError: it can't be read.
        """
        if self._path is None or not self._path.exists():
            return None
        from ounce_exporters.training.packing import unpack  # torch takes seconds to import

        try:
            with safe_open(self._path, framework="pt") as file:
                told = json.loads(file.metadata()["checkpoint"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as e:
            reason = " ".join(str(e).split())
            raise ArtifactError(f"{self._path}: can't be read ({reason}): {_ANEW}") from e
        check_same(self._path, told["identity"], self._identity)
        state: State = unpack(told["state"], tensors)
        return state

    def write(self, state: Callable[[], State], *, ended: bool) -> None:
        """Write where the fit is, if it is time.

        Raises:
            ArtifactError: the file can't be written.
        """
        now_s = time.monotonic()
        if self._path is None or not (ended or now_s - self._last_s >= self._least_s):
            return
        from safetensors.torch import save

        from ounce_exporters.training.packing import pack

        tensors: dict[str, Any] = {}
        told = json.dumps({"identity": self._identity, "state": pack(state(), tensors)})
        content = save(tensors, {"checkpoint": told})
        try:
            write_whole(self._path, content)
        except OSError as e:
            raise ArtifactError(f"{self._path}: can't be written: {e.strerror or e}") from e
        self._last_s = now_s


_current: ContextVar[Checkpoints | None] = ContextVar("checkpoints", default=None)


def next_checkpoint(identity: Callable[[], Identity]) -> Checkpoint:
    """The checkpoint of the fit that begins; one that keeps nothing where nobody asked for any."""
    kept = _current.get()
    return Checkpoint(None, {}) if kept is None else kept.next_fit(identity())


@contextmanager
def of_model(name: str) -> Iterator[None]:
    """The fits inside are of this model."""
    kept = _current.get()
    if kept is None:
        yield
        return
    with kept.of_model(name):
        yield


@contextmanager
def keep_checkpoints(
    folder: Path, run: Identity, *, resume: bool, least_s: float | None = None
) -> Iterator[bool]:
    """Fits inside are kept in a folder, which is removed at the end, but not after an error.

    Args:
        folder: of the files.
        run: what the training is of.
        resume: go on with what is there; else it is removed first.
        least_s: between two writes of one fit; default: `LEAST_S`.

    Yields:
        Whether there is something to go on with.

    Raises:
        DataError: what is there is of another training.
        ArtifactError: the folder can't be written.
    """
    try:
        found = _begin(folder, _as_json(run), resume=resume)
        token = _current.set(Checkpoints(folder, LEAST_S if least_s is None else least_s))
        try:
            yield found
        finally:
            _current.reset(token)
    except BaseException:
        if not any(folder.glob("*.safetensors")):  # nothing to go on with
            shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)


def _begin(folder: Path, run: Identity, *, resume: bool) -> bool:
    """Make the folder ready; whether there is something to go on with."""
    path = folder / RUN_FILE
    try:
        if path.exists() and resume:
            check_same(folder, _read_run(path), run)
        else:
            shutil.rmtree(folder, ignore_errors=True)
        found = any(folder.glob("*.safetensors"))
        write_whole(path, json.dumps(run, indent=2).encode())
    except OSError as e:
        raise ArtifactError(f"{folder}: can't be written: {e.strerror or e}") from e
    return found


def check_same(path: Path, there: Identity, here: Identity) -> None:
    """Refuse a checkpoint that is of something else.

    Raises:
        DataError: names the first thing that differs, as it is there and here.
    """
    for name in dict.fromkeys([*here, *there]):
        one, other = there.get(name), here.get(name)
        if one == other:
            continue
        if isinstance(one, dict) and isinstance(other, dict):
            part = min(k for k in {*one, *other} if one.get(k) != other.get(k))
            name, one, other = f"{name} {part}", one.get(part), other.get(part)
        raise DataError(
            f"{path}: is of another training: {name} is {_shown(one)} there and {_shown(other)} "
            f"here; {_ANEW}"
        )


def _read_run(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as e:
        raise ArtifactError(f"{path}: can't be read: {_ANEW}") from e
    return found if isinstance(found, dict) else {}


def _as_json(value: Identity) -> dict[str, Any]:
    """As it is once it is written and read."""
    result: dict[str, Any] = json.loads(json.dumps(value, default=str))
    return result


def _shown(value: Any) -> str:
    text = "absent" if value is None else str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
