"""Why models have no engine, kept beside the engines: one file for each, a line of JSON::

<digest of what the engine would be of>.refused
"""

from collections.abc import Collection
from pathlib import Path

import msgspec

from ounce_edge.models.runtimes.tensorrt.engine_key import EngineKey
from ounce_edge.models.runtimes.tensorrt.whole_files import remove, write_whole

_SUFFIX = ".refused"


class Refusal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A model of which no engine could be built."""

    key: EngineKey
    model: str
    """Task and model, for people."""
    reason: str


class Refusals:
    """Those of a folder.

    Args:
        folder: of the engines; where it is absent there is none.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, key: EngineKey) -> str | None:
        """The reason; None where none is kept, or its file is damaged."""
        found = _read(self._path(key))
        return found.reason if found is not None and found.key == key else None

    def keep(self, refusal: Refusal) -> None:
        """Keep one, in place of what was kept of the same.

        Raises:
            ArtifactError: the folder can't be written.
        """
        write_whole(self._path(refusal.key), msgspec.json.encode(refusal))

    def drop(self, key: EngineKey) -> None:
        """Forget one: its engine is there.

        Raises:
            ArtifactError: the folder can't be written.
        """
        remove(self._path(key))

    def prune(self, known: Collection[str]) -> None:
        """Forget those of models whose digest is not known, and damaged ones.

        Raises:
            ArtifactError: the folder can't be written.
        """
        for path in self._folder.glob(f"*{_SUFFIX}"):
            found = _read(path)
            if found is None or found.key.model_sha256 not in known:
                remove(path)

    def list(self) -> list[Refusal]:
        """All, by model."""
        found = [_read(path) for path in self._folder.glob(f"*{_SUFFIX}")]
        return sorted((one for one in found if one is not None), key=lambda r: (r.model, r.reason))

    def _path(self, key: EngineKey) -> Path:
        return self._folder / f"{key.digest}{_SUFFIX}"


def _read(path: Path) -> Refusal | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Refusal)
    except (OSError, msgspec.MsgspecError):
        return None
